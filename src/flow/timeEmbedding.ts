/**
 * The estimator's time embedding. It depends on nothing but the step, so all of it is computed at load, in double precision:
 * τ = Linear(SiLU(Linear(sinusoids(t)))), then Linear(Mish(τ)) of every resnet, for every step.
 */
import type { Weights } from "../ops/weights.js";
import { timeSinusoids } from "./positions.js";

/** y = W x + b for W [rows, x.length] */
function project(weight: Float32Array, bias: Float32Array, x: Float64Array): Float64Array {
  return Float64Array.from(bias, (b, row) => {
    let sum = b;
    const first = row * x.length;
    for (let i = 0; i < x.length; i++) sum += (weight[first + i] as number) * (x[i] as number);
    return sum;
  });
}

const silu = (x: number): number => x / (1 + Math.exp(-x));
const mish = (x: number): number => x * Math.tanh(Math.log1p(Math.exp(x)));

/**
 * What each resnet adds after its first block, at each of `times`: [times, resnets · channels].
 * @param resnets names of the resnets in the checkpoint, in the order of the columns
 */
export async function timeTable(
  weights: Weights,
  times: ArrayLike<number>,
  { sinusoids, resnets, channels }: { sinusoids: number; resnets: readonly string[]; channels: number },
): Promise<Float32Array> {
  const layer = async (name: string): Promise<[Float32Array, Float32Array]> => [
    await weights.values(`${name}.weight`),
    await weights.values(`${name}.bias`),
  ];
  const first = await layer("decoder.estimator.time_mlp.linear_1");
  const second = await layer("decoder.estimator.time_mlp.linear_2");
  const embeddings = Array.from(times, (t) => {
    const hidden = project(...first, Float64Array.from(timeSinusoids(t, sinusoids))).map(silu);
    return project(...second, hidden).map(mish);
  });
  const table = new Float32Array(times.length * resnets.length * channels);
  for (const [index, name] of resnets.entries()) {
    const last = await layer(`${name}.mlp.1`);
    embeddings.forEach((embedding, step) => {
      table.set(project(...last, embedding), (step * resnets.length + index) * channels);
    });
  }
  return table;
}
