/** What the kernels share that sum channels over frames: threads of a workgroup are channels along x, lanes of one channel along y. */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";

export type PoolConstants = {
  /** Threads that share a channel: 1 on software GPUs, to which a barrier costs more than the frames. */
  lanes: 1 | 16;
};

/** Channels of a workgroup. */
export const POOL_WIDTH = 16;

/** WGSL: `channelSum(value, local)` is the sum over the lanes of this thread's channel. Also defines LANES and WIDTH. */
export const channelSum = ({ lanes }: PoolConstants): string => wgsl /* wgsl */`
const LANES = ${lanes}u;
const WIDTH = ${POOL_WIDTH}u;
#if ${lanes > 1}
var<workgroup> partial: array<f32, WIDTH * LANES>;
#endif

fn channelSum(value: f32, local: vec3u) -> f32 {
#if ${lanes === 1}
  return value;
#else
  workgroupBarrier();
  partial[local.y * WIDTH + local.x] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < LANES; i++) { sum += partial[i * WIDTH + local.x]; }
  return sum;
#endif
}
`;
