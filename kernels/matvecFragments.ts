/** What the two kernels of one row times a matrix share: constants, bindings, params and how they are read. */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { openWeight, type WeightElem } from "./fragments.js";

export type RowProductConstants = {
  elem: WeightElem;
  /** 4 where `inner` is a multiple of 4, else 1. */
  vec: 1 | 4;
  norm: boolean;
  bias: boolean;
  epilogue: "plain" | "residual" | "swiglu";
};

export const rowProductBindings = ({ elem, vec, norm, bias, epilogue }: RowProductConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["inner"] },
    weight: { access: "read", elem, vec: 4, shape: [epilogue === "swiglu" ? "2*cols" : "cols", "stride4", 4] },
    out: { access: "read_write", elem: "f32", shape: ["cols"] },
    ...(norm ? { normWeight: { access: "read", elem: "f32", vec, shape: ["inner"] } as const } : {}),
    ...(bias
      ? { bias: { access: "read", elem: "f32", shape: [epilogue === "swiglu" ? "2*cols" : "cols"] } as const }
      : {}),
    ...(epilogue === "residual" ? { residual: { access: "read", elem: "f32", shape: ["cols"] } as const } : {}),
  }) as const;

/** stride4 is ceil(inner / 4). */
export const rowProductParams = { inner: "u32", cols: "u32", stride4: "u32", eps: "f32" } as const;

/** WGSL: how the bindings are read. */
export const rowProductReaders = (constants: RowProductConstants): string => wgsl /* wgsl */`
${openWeight("weight", constants.elem)}

fn x4(k4: u32) -> vec4f {
#if ${constants.vec === 4}
  return x[k4];
#else
  var v = vec4f();
  for (var i = 0u; i < 4u; i++) { if (4u * k4 + i < params.inner) { v[i] = x[4u * k4 + i]; } }
  return v;
#endif
}

#if ${constants.norm}
fn scale4(k4: u32) -> vec4f {
#if ${constants.vec === 4}
  return normWeight[k4];
#else
  var v = vec4f();
  for (var i = 0u; i < 4u; i++) { if (4u * k4 + i < params.inner) { v[i] = normWeight[4u * k4 + i]; } }
  return v;
#endif
}
#endif

fn silu(v: f32) -> f32 { return v / (1.0 + exp(-max(v, -80.0))); }
`;
