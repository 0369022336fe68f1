import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Capabilities, DEFAULT_LIMITS } from "../../src/gpu/capabilities.js";
import { Graph, plan, tensorsOf } from "../../src/gpu/graph.js";
import { defineKernel } from "../../src/gpu/kernel.js";
import { byteLength, reshape, type Tensor } from "../../src/gpu/tensor.js";

/** No GPU is touched here; the graph only hands these on. */
const capabilities: Capabilities = {
  adapter: { name: "none", vendor: "", architecture: "", description: "", software: true },
  f16: false,
  subgroups: null,
  timestamps: false,
  maxBinding: DEFAULT_LIMITS.maxStorageBufferBindingSize,
  maxBuffer: DEFAULT_LIMITS.maxBufferSize,
};

/** out = f(a, b), of any sizes. */
const combine = defineKernel({
  name: "combine",
  bindings: () =>
    ({
      a: { access: "read", elem: "f32", shape: ["n"] },
      b: { access: "read", elem: "f32", shape: ["m"] },
      out: { access: "read_write", elem: "f32", shape: ["k"] },
    }) as const,
  params: { n: "u32", m: "u32", k: "u32" } as const,
  workgroups: () => [1, 1, 1],
  variants: [{}],
  wgsl: () => "",
});

const count = (tensor: Tensor) => tensor.shape.reduce((product, n) => product * n, 1);
const apply = (g: Graph, a: Tensor, b: Tensor, out: Tensor) => {
  g.add(combine, {}, { n: count(a), m: count(b), k: count(out) }, { a, b, out });
  return out;
};
const resident = (label: string, size: number): Tensor => ({
  label,
  shape: [size],
  dtype: "f32",
  buffer: {} as GPUBuffer,
});

describe("plan", () => {
  test("temporaries that are never alive together share a slot", () => {
    const g = new Graph("g", capabilities);
    let x: Tensor = resident("x", 8);
    for (let i = 0; i < 10; i++) x = apply(g, x, x, g.temp("step", [8]));
    const { slotBytes } = plan(g);
    expect(slotBytes).toEqual([32, 32]);
  });

  test("a kept temporary keeps its slot to the end", () => {
    const g = new Graph("g", capabilities);
    const x = resident("x", 8);
    const first = g.keep(apply(g, x, x, g.temp("first", [8])));
    let y = first;
    for (let i = 0; i < 5; i++) y = apply(g, y, y, g.temp("step", [8]));
    const { slotOf } = plan(g);
    const others = [...slotOf].filter(([label]) => label !== first.label).map(([, slot]) => slot);
    expect(others).not.toContain(slotOf.get(first.label));
  });

  test("a slot grows to its largest tenant, and a view shares the memory of what it views", () => {
    const g = new Graph("g", capabilities);
    const x = resident("x", 4);
    const small = apply(g, x, x, g.temp("small", [4]));
    const view = apply(g, reshape(small, [2, 2]), x, g.temp("view", [4]));
    apply(g, view, view, g.temp("large", [1000]));
    const { slotBytes, slotOf } = plan(g);
    expect(slotOf.size).toBe(3);
    expect(Math.max(...slotBytes)).toBe(4000);
    expect(slotBytes).toHaveLength(2);
  });

  test("two temporaries of one label and different sizes are refused", () => {
    const g = new Graph("g", capabilities);
    const x = resident("x", 4);
    apply(g, x, x, { label: "t", shape: [4], dtype: "f32" });
    apply(g, x, x, { label: "t", shape: [5], dtype: "f32" });
    expect(() => plan(g)).toThrow("two temporaries are both called t");
  });

  test("no two temporaries of a slot are ever alive together, whatever the graph", () => {
    const step = fc.record({ size: fc.integer({ min: 1, max: 50 }), a: fc.nat(), b: fc.nat(), keep: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const g = new Graph("g", capabilities);
        const made: Tensor[] = [resident("x", 7)];
        for (const { size, a, b, keep } of steps) {
          const at = (index: number) => made[index % made.length] as Tensor;
          const out = apply(g, at(a), at(b), g.temp("t", [size]));
          if (keep) g.keep(out);
          made.push(out);
        }
        const { slotOf, slotBytes } = plan(g);
        // Replays the steps: a write may not hit memory whose tenant is read later or kept.
        const lastUse = new Map<string, number>();
        g.steps.forEach((one, index) => {
          for (const tensor of tensorsOf(one)) lastUse.set(tensor.label, index);
        });
        for (const tensor of g.kept) lastUse.set(tensor.label, g.steps.length);
        const tenant = new Map<number, string>();
        g.steps.forEach((one, index) => {
          const out = tensorsOf(one).at(-1) as Tensor;
          const slot = slotOf.get(out.label) as number;
          expect(slotBytes[slot]).toBeGreaterThanOrEqual(byteLength(out));
          const before = tenant.get(slot);
          if (before !== undefined) expect(lastUse.get(before)).toBeLessThan(index);
          tenant.set(slot, out.label);
        });
      }),
    );
  });
});
