/** What the two kernels of the convolution share: constants, bindings, params and how they are read. */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { type Activation, activate, openWeight, type WeightElem } from "./fragments.js";

export type ConvConstants = {
  /** Storage of the weight, whose channels are padded with zeros to a multiple of 4. */
  elem: WeightElem;
  /** 4 where `channelsIn` is a multiple of 4, else 1. */
  vec: 1 | 4;
  activation: Activation;
  bias: boolean;
  residual: boolean;
  /** Nearest-neighbour repetition of the input frames. */
  upsample: number;
};

export const convBindings = ({ elem, vec, bias, residual }: ConvConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["batch", "framesIn", "channelsIn"] },
    weight: { access: "read", elem, vec: 4, shape: ["channelsOut", "taps", "stride4", 4] },
    out: { access: "read_write", elem: "f32", shape: ["batch", "framesOut", "channelsOut"] },
    ...(bias ? { bias: { access: "read", elem: "f32", shape: ["channelsOut"] } as const } : {}),
    ...(residual
      ? { residual: { access: "read", elem: "f32", shape: ["batch", "framesOut", "channelsOut"] } as const }
      : {}),
  }) as const;

/** stride4 is ceil(channelsIn / 4). */
export const convParams = {
  batch: "u32",
  framesIn: "u32",
  framesOut: "u32",
  channelsIn: "u32",
  channelsOut: "u32",
  stride4: "u32",
  taps: "u32",
  stride: "u32",
  dilation: "u32",
  padLeft: "u32",
} as const;

/** WGSL: how the bindings are read. */
export const convReaders = (constants: ConvConstants): string => wgsl /* wgsl */`
${openWeight("weight", constants.elem)}
${activate(constants.activation)}

fn x4(frame: u32, c4: u32) -> vec4f {
#if ${constants.vec === 4}
  return x[frame * params.stride4 + c4];
#else
  var v = vec4f();
  for (var i = 0u; i < 4u; i++) {
    let c = 4u * c4 + i;
    if (c < params.channelsIn) { v[i] = x[frame * params.channelsIn + c]; }
  }
  return v;
#endif
}
`;
