/**
 * HiFT's head: a network's log-magnitudes and phases become samples by an inverse short-time Fourier transform.
 *
 *   magnitude = min(exp(x[f, k]), 100), phase = sin(x[f, bins + k])
 *   frame_f[n] = Σ_k synthesis[n, k] · magnitude · cos(phase) + synthesis[n, bins + k] · magnitude · sin(phase)
 *   out[t] = clamp( Σ_f frame_f[t + size / 2 − f · hop] / Σ_f window²[t + size / 2 − f · hop], ±limit )
 *
 * `synthesis` holds the inverse transform and the window in one. Every sample meets `overlap` = size / hop frames, fewer at the ends.
 * One thread makes the `hop` samples that meet the same frames, so that each exponential and sine serves them all.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";
import { sine } from "./fragments.js";

export type IstftConstants = {
  /** Samples between frames; divides half the size of the transform. */
  hop: number;
};

const WORKGROUP = 64;

const bindings = ({ hop }: IstftConstants) =>
  ({
    x: { access: "read", elem: "f32", shape: ["steps+1", "columns"] },
    synthesis: { access: "read", elem: "f32", shape: ["overlap", hop, "columns"] },
    window2: { access: "read", elem: "f32", shape: ["overlap", hop] },
    out: { access: "read_write", elem: "f32", shape: ["steps", hop] },
  }) as const;

/** steps is the number of frames less one; columns is size + 2; overlap is size / hop, an even number. */
const params = { steps: "u32", columns: "u32", overlap: "u32", limit: "f32" } as const;

export const istft = defineKernel({
  name: "istft",
  bindings,
  params,
  workgroups: ({ steps }) => fold(Math.ceil(steps / WORKGROUP)),
  variants: [{ hop: 4 }, { hop: 3 }] as IstftConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${WORKGROUP}u;
const HOP = ${constants.hop}u;
const MAX_MAGNITUDE = 100.0;
const MAX_EXPONENT = 5.0; // above log(MAX_MAGNITUDE): keeps exp finite

${flatGroup}
${sine("f32")}

/** For |x| ≤ 1: the Taylor series to x¹². */
fn cosine(x: f32) -> f32 {
  let s = x * x;
  var p = 2.0876757e-9;
  p = p * s - 2.7557319e-7;
  p = p * s + 2.4801587e-5;
  p = p * s - 1.3888889e-3;
  p = p * s + 4.1666667e-2;
  p = p * s - 0.5;
  return p * s + 1.0;
}

/** By its bits: a compiler may take x != x for false. */
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

@compute @workgroup_size(WORKGROUP)
fn istft(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let step = flatGroup(group) * WORKGROUP + lane;
  if (step >= params.steps) { return; }
  let bins = params.columns / 2u;
  // Of a number and what is none, min and max may give the number: what is none is kept, to come out as such.
  var broken = 0.0;
  var sums: array<f32, HOP>;
  var envelope: array<f32, HOP>;
  for (var o = 0u; o < params.overlap; o++) {
    let frame = i32(step + params.overlap / 2u) - i32(o);
    if (frame < 0 || frame > i32(params.steps)) { continue; }
    let row = u32(frame) * params.columns;
    let firstSample = o * HOP;
    for (var k = 0u; k < bins; k++) {
      let both = x[row + k] + x[row + bins + k];
      if (isNan(both)) { broken = both; }
      let magnitude = min(exp(min(x[row + k], MAX_EXPONENT)), MAX_MAGNITUDE);
      let phase = sine(x[row + bins + k]);
      let re = magnitude * cosine(phase);
      let im = magnitude * sine(phase);
      for (var j = 0u; j < HOP; j++) {
        let at = (firstSample + j) * params.columns + k;
        sums[j] += synthesis[at] * re + synthesis[at + bins] * im;
      }
    }
    for (var j = 0u; j < HOP; j++) { envelope[j] += window2[firstSample + j]; }
  }
  for (var j = 0u; j < HOP; j++) {
    out[step * HOP + j] = select(clamp(sums[j] / envelope[j], -params.limit, params.limit), broken, isNan(broken));
  }
}`,
});
