/** What the two kernels of the transposed convolution share: constants, bindings, params and how they are read. */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { openWeight, type WeightElem } from "./fragments.js";

export type TransposeConstants = {
  /** Storage of the weight, whose channels are padded with zeros to a multiple of 4. */
  elem: WeightElem;
  /** 4 where `channelsIn` is a multiple of 4, else 1. */
  vec: 1 | 4;
  residual: boolean;
};

export const transposeBindings = ({ elem, vec, residual }: TransposeConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["framesIn", "channelsIn"] },
    weight: { access: "read", elem, vec: 4, shape: ["channelsOut", "taps", "stride4", 4] },
    bias: { access: "read", elem: "f32", shape: ["channelsOut"] },
    out: { access: "read_write", elem: "f32", shape: ["frames+shift", "channelsOut"] },
    ...(residual ? { residual: { access: "read", elem: "f32", shape: ["frames+shift", "channelsOut"] } as const } : {}),
  }) as const;

/** stride4 is ceil(channelsIn / 4); frames is (framesIn − 1) · stride − 2 · pad + taps; slope 1 leaves x as it is. */
export const transposeParams = {
  framesIn: "u32",
  frames: "u32",
  channelsIn: "u32",
  channelsOut: "u32",
  stride4: "u32",
  taps: "u32",
  stride: "u32",
  pad: "u32",
  shift: "u32",
  slope: "f32",
} as const;

/** WGSL: how the bindings are read, and `out` written. */
export const transposeReaders = (constants: TransposeConstants): string => wgsl /* wgsl */`
${openWeight("weight", constants.elem)}

fn x4(frame: u32, c4: u32) -> vec4f {
#if ${constants.vec === 4}
  let v = x[frame * params.stride4 + c4];
#else
  var v = vec4f();
  for (var i = 0u; i < 4u; i++) {
    let c = 4u * c4 + i;
    if (c < params.channelsIn) { v[i] = x[frame * params.channelsIn + c]; }
  }
#endif
  return select(params.slope * v, v, v > vec4f());
}

fn store(row: u32, col: u32, y: f32) {
  let at = row * params.channelsOut + col;
#if ${constants.residual}
  out[at] = y + residual[at];
#else
  out[at] = y;
#endif
}
`;
