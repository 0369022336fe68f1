/**
 * Short-time Fourier transform with reflect padding, as HiFT takes it of its source signal.
 *
 *   out[f, j] = Σ_n basis[j, n] · x[ reflect(f · hop + n − size / 2) ],   reflect(i) = |i|, mirrored at the end without its sample
 *
 * `basis` holds windowed cosines, then windowed negative sines, of all bins: out is the real parts, then the imaginary parts. At a
 * size of 16 a table costs less than a fast transform.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

const WORKGROUP = 64;

/** columns is size + 2; samples is more than size / 2, so that one reflection is enough. */
const params = { samples: "u32", frames: "u32", columns: "u32", size: "u32", hop: "u32" } as const;

const bindings = () =>
  ({
    x: { access: "read", elem: "f32", shape: ["samples"] },
    basis: { access: "read", elem: "f32", shape: ["columns", "size"] },
    out: { access: "read_write", elem: "f32", shape: ["frames", "columns"] },
  }) as const;

export const stft = defineKernel({
  name: "stft",
  bindings,
  params,
  workgroups: ({ frames, columns }) => fold(Math.ceil((frames * columns) / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(bindings(), params)}
const WORKGROUP = ${WORKGROUP}u;

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn stft(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = flatGroup(group) * WORKGROUP + lane;
  if (at >= params.frames * params.columns) { return; }
  let frame = at / params.columns;
  let column = at - frame * params.columns;
  let first = i32(frame * params.hop) - i32(params.size / 2u);
  let last = i32(params.samples) - 1;
  var sum = 0.0;
  for (var n = 0u; n < params.size; n++) {
    let i = last - abs(last - abs(first + i32(n)));
    sum += basis[column * params.size + n] * x[i];
  }
  out[at] = sum;
}`,
});
