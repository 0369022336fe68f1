/**
 * What this device can do at most, measured with the three simplest kernels there are: one only copies, one only multiplies and adds,
 * one only reads a small buffer that every cache holds. A kernel's share of the ceiling that binds it is the number to look at;
 * advertised figures do not count.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import type { Device } from "../src/gpu/device.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";
import { time } from "./harness.js";

const WORKGROUP = 64;

const copyBindings = () =>
  ({
    x: { access: "read", elem: "f32", vec: 4, shape: ["N", 4] },
    out: { access: "read_write", elem: "f32", vec: 4, shape: ["N", 4] },
  }) as const;
const copyParams = { N: "u32" } as const;

/** out = x, 16 bytes a thread. */
export const copy = defineKernel({
  name: "copy",
  bindings: copyBindings,
  params: copyParams,
  workgroups: ({ N }) => fold(Math.ceil(N / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(copyBindings(), copyParams)}
const WORKGROUP = ${WORKGROUP}u;
${flatGroup}
@compute @workgroup_size(WORKGROUP)
fn copy(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flatGroup(group) * WORKGROUP + lane;
  if (i < params.N) { out[i] = x[i]; }
}`,
});

const fmaBindings = () => ({ out: { access: "read_write", elem: "f32", shape: ["N"] } }) as const;
const fmaParams = { N: "u32", rounds: "u32" } as const;

/** Independent chains of multiply-adds in registers: 8 vec4 per thread and round, 64 flop. */
export const multiplyAdd = defineKernel({
  name: "multiplyAdd",
  bindings: fmaBindings,
  params: fmaParams,
  workgroups: ({ N }) => fold(Math.ceil(N / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(fmaBindings(), fmaParams)}
const WORKGROUP = ${WORKGROUP}u;
${flatGroup}
@compute @workgroup_size(WORKGROUP)
fn multiplyAdd(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flatGroup(group) * WORKGROUP + lane;
  let a = vec4f(0.999 + f32(lane) * 1e-6);
  let b = vec4f(0.001);
  var s0 = vec4f(f32(i)); var s1 = s0 + 1.0; var s2 = s0 + 2.0; var s3 = s0 + 3.0;
  var s4 = s0 + 4.0; var s5 = s0 + 5.0; var s6 = s0 + 6.0; var s7 = s0 + 7.0;
  for (var r = 0u; r < params.rounds; r++) {
    s0 = fma(s0, a, b); s1 = fma(s1, a, b); s2 = fma(s2, a, b); s3 = fma(s3, a, b);
    s4 = fma(s4, a, b); s5 = fma(s5, a, b); s6 = fma(s6, a, b); s7 = fma(s7, a, b);
  }
  let s = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
  if (i < params.N) { out[i] = s.x + s.y + s.z + s.w; }
}`,
});

const loadBindings = () =>
  ({
    x: { access: "read", elem: "f32", vec: 4, shape: ["items", 4] },
    out: { access: "read_write", elem: "f32", vec: 4, shape: ["N", 4] },
  }) as const;
const loadParams = { N: "u32", items: "u32", rounds: "u32" } as const;

/** Vec4s read from a buffer, 8 a round. A GPU hides most of a read behind arithmetic; a CPU that plays GPU gathers it lane by lane. */
export const load = defineKernel({
  name: "load",
  bindings: loadBindings,
  params: loadParams,
  workgroups: ({ N }) => fold(Math.ceil(N / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(loadBindings(), loadParams)}
const WORKGROUP = ${WORKGROUP}u;
${flatGroup}
@compute @workgroup_size(WORKGROUP)
fn load(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flatGroup(group) * WORKGROUP + lane;
  var s0 = vec4f(); var s1 = s0; var s2 = s0; var s3 = s0;
  for (var r = 0u; r < params.rounds; r++) {
    let at = 8u * ((lane + r) % (params.items / 8u));
    s0 += x[at]; s1 += x[at + 1u]; s2 += x[at + 2u]; s3 += x[at + 3u];
    s0 += x[at + 4u]; s1 += x[at + 5u]; s2 += x[at + 6u]; s3 += x[at + 7u];
  }
  if (i < params.N) { out[i] = s0 + s1 + s2 + s3; }
}`,
});

export interface Ceilings {
  /** Bytes copied, read and written both counted: of a buffer in a cache, and of one too large for any. */
  readonly cachedGbPerSecond: number;
  readonly gbPerSecond: number;
  readonly gflopPerSecond: number;
  /** 10⁹ vec4s read from a cached buffer per second. */
  readonly gloadPerSecond: number;
}

/** Bytes up to which a working set counts as cached. */
export const CACHED_BYTES = 1 << 20;

const VEC4 = 16;

export async function measureCeilings(device: Device, seconds: number): Promise<Ceilings> {
  const { software } = device.capabilities.adapter;
  const gbPerSecond = async (bytes: number): Promise<number> => {
    const items = bytes / 2 / VEC4;
    const shapes = { x: [items, 4], out: [items, 4] };
    const timing = await time(
      device,
      { name: "copy", kernel: copy, constants: {}, params: { N: items }, shapes, flop: 0 },
      seconds,
    );
    return timing.gbPerSecond;
  };
  const threads = software ? 1 << 12 : 1 << 18;
  const rounds = 1 << 9;
  const computed = await time(
    device,
    {
      name: "multiplyAdd",
      kernel: multiplyAdd,
      constants: {},
      params: { N: threads, rounds },
      shapes: { out: [threads] },
      flop: threads * rounds * 64,
    },
    seconds,
  );
  const items = 256;
  const loaded = await time(
    device,
    {
      name: "load",
      kernel: load,
      constants: {},
      params: { N: threads, items, rounds },
      shapes: { x: [items, 4], out: [threads, 4] },
      flop: 0,
    },
    seconds,
  );
  return {
    cachedGbPerSecond: await gbPerSecond(CACHED_BYTES),
    gbPerSecond: await gbPerSecond((software ? 32 : 128) * CACHED_BYTES),
    gflopPerSecond: computed.gflopPerSecond,
    gloadPerSecond: (8 * threads * rounds) / loaded.ms / 1e6,
  };
}
