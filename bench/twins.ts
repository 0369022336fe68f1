/**
 * The kernels that the engine did not choose on this device, at the shape where the chosen one works most: a tiled kernel and its
 * `…Direct` twin compute the same from the same bindings, so one table shows whether the choice was right.
 */
import { chunkAttention } from "../kernels/chunkAttention.js";
import { chunkAttentionDirect } from "../kernels/chunkAttentionDirect.js";
import { conv1d } from "../kernels/conv1d.js";
import { conv1dDirect } from "../kernels/conv1dDirect.js";
import { convTranspose1d } from "../kernels/convTranspose1d.js";
import { convTranspose1dDirect } from "../kernels/convTranspose1dDirect.js";
import { matmul } from "../kernels/matmul.js";
import { matvec } from "../kernels/matvec.js";
import { matvecDirect } from "../kernels/matvecDirect.js";
import type { AnyKernel, Constants } from "../src/gpu/kernel.js";
import { bytesOf, flopOf, loadsOf } from "./cost.js";
import type { Case } from "./harness.js";

/** Kernel, its twin, and the constants that only one of them has. */
const PAIRS: readonly { tiled: AnyKernel; direct: AnyKernel; more: Constants }[] = [
  { tiled: conv1d, direct: conv1dDirect, more: { threads: 8 } },
  { tiled: convTranspose1d, direct: convTranspose1dDirect, more: { threads: 8 } },
  { tiled: chunkAttention, direct: chunkAttentionDirect, more: {} },
  { tiled: matvec, direct: matvecDirect, more: { workgroup: 64 } },
];

/** Twins of the noted cases whose kernels are not among them. */
export function twinsOf(cases: readonly Case[]): Case[] {
  const most = (kernel: AnyKernel, fits: (row: Case) => boolean = () => true): Case | undefined =>
    cases
      .filter((row) => row.kernel === kernel && fits(row))
      .reduce<Case | undefined>((best, row) => (best && best.flop >= row.flop ? best : row), undefined);
  const twins: Case[] = [];
  const add = (
    from: Case | undefined,
    change: (row: Case) => Pick<Case, "kernel" | "constants" | "params" | "shapes">,
  ) => {
    if (from) twins.push(costed({ ...from, ...change(from) }));
  };
  for (const { tiled, direct, more } of PAIRS) {
    if (!cases.some(({ kernel }) => kernel === tiled)) {
      add(most(direct), (row) => ({ ...row, kernel: tiled, constants: { ...row.constants, ...more } }));
    }
    if (!cases.some(({ kernel }) => kernel === direct)) {
      add(most(tiled), (row) => {
        const constants = Object.entries(row.constants).filter(([name]) => !Object.hasOwn(more, name));
        return { ...row, kernel: direct, constants: Object.fromEntries(constants) };
      });
    }
  }
  // A matrix product is a convolution of one tap.
  const pointwise = ({ params, constants }: Case) => params.taps === 1 && constants.upsample === 1;
  if (!cases.some(({ kernel }) => kernel === matmul)) add(most(conv1dDirect, pointwise), toMatmul);
  else add(most(matmul), toConv1d);
  return twins;
}

function toMatmul({ constants, params, shapes }: Case): Pick<Case, "kernel" | "constants" | "params" | "shapes"> {
  const { upsample: _, ...rest } = constants;
  const { batch = 1, framesOut = 1, channelsIn: inner = 1, channelsOut: cols = 1, stride4 = 1 } = params;
  const rows = batch * framesOut;
  return {
    kernel: matmul,
    constants: { ...rest, threads: 8 },
    params: { rows, inner, cols, stride4 },
    shapes: { ...shapes, x: [rows, inner], weight: [cols, stride4, 4], out: [rows, cols] },
  };
}

function toConv1d({ constants, params, shapes }: Case): Pick<Case, "kernel" | "constants" | "params" | "shapes"> {
  const { rows = 1, inner = 1, cols = 1, stride4 = 1 } = params;
  const one = { batch: 1, taps: 1, stride: 1, dilation: 1, padLeft: 0 };
  return {
    kernel: conv1d,
    constants: { ...constants, upsample: 1 },
    params: { ...one, framesIn: rows, framesOut: rows, channelsIn: inner, channelsOut: cols, stride4 },
    shapes: { ...shapes, x: [1, rows, inner], weight: [cols, 1, stride4, 4], out: [1, rows, cols] },
  };
}

/** The costs of the twin, under a name that says what it is. */
function costed(row: Case): Case {
  const { kernel, params, constants, name } = row;
  const flop = flopOf(kernel.name, params, constants);
  const bytes = bytesOf(kernel.name, params);
  return {
    ...row,
    name: `${kernel.name} (not chosen here) ${name.slice(name.indexOf(" ") + 1)}`,
    flop,
    loads: loadsOf(kernel.name, flop, constants),
    ...(bytes === undefined ? {} : { bytes }),
  };
}
