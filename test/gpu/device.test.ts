import { afterEach, describe, expect, test } from "vitest";
import { findAdapter } from "#platform";
import { Device } from "../../src/gpu/device.js";
import { Graph } from "../../src/gpu/graph.js";
import { declarations, defineKernel } from "../../src/gpu/kernel.js";
import { Program } from "../../src/gpu/program.js";
import { adapterNames } from "../helpers/device.js";

const bindings = { x: { access: "read_write", elem: "f32", shape: ["n"] } } as const;
const params = { n: "u32" } as const;

/** x *= 2, or with `broken` a WGSL mistake on line 7. */
const double = defineKernel({
  name: "double",
  bindings: () => bindings,
  params,
  workgroups: () => [1, 1, 1],
  variants: [{ broken: false }, { broken: true }],
  wgsl: ({ broken }: { broken: boolean }) => `${declarations(bindings, params)}
@compute @workgroup_size(1)
fn double() {
  for (var i = 0u; i < params.n; i++) { x[i] *= ${broken ? "undeclared" : "2.0"}; }
}`,
});

describe.each(adapterNames)("a device on %s", (adapter) => {
  let device: Device;
  const open = async () => {
    device = await Device.open(await findAdapter(adapter));
    return device;
  };
  afterEach(() => device.destroy());

  async function doubled(): Promise<number[]> {
    const x = device.upload("x", [3], Float32Array.of(1, 2, 3));
    const g = new Graph("doubling", device.capabilities);
    g.add(double, { broken: false }, { n: 3 }, { x });
    const program = await Program.compile(device, g);
    program.run();
    const out = await device.read(x);
    program.destroy();
    device.release(x.buffer);
    return Array.from(out);
  }

  test("computes, counts its buffers and pipelines, and makes neither on a replay", async () => {
    await open();
    const before = device.memory;
    const x = device.upload("x", [3], Float32Array.of(1, 2, 3));
    const g = new Graph("doubling", device.capabilities);
    g.add(double, { broken: false }, { n: 3 }, { x });
    const program = await Program.compile(device, g);
    const compiled = device.memory;
    program.run();
    program.run();
    expect(device.memory).toEqual(compiled);
    expect(device.pipelineCount).toBe(1);
    expect(Array.from(await device.read(x))).toEqual([4, 8, 12]);
    program.destroy();
    device.release(x.buffer, x.buffer);
    expect(device.memory).toMatchObject({ live: before.live, buffers: before.buffers });
    expect(await doubled()).toEqual([2, 4, 6]);
    expect(device.pipelineCount).toBe(1);
  });

  test("destroy frees every buffer, and afterwards every call says so", async () => {
    await open();
    device.tensor("a", [1000]);
    device.upload("b", [2], Float32Array.of(1, 2));
    expect(device.memory).toMatchObject({ buffers: 2, live: 4008 });
    device.destroy();
    expect(device.memory).toMatchObject({ buffers: 0, live: 0 });
    expect(() => device.tensor("c", [1])).toThrow("the device was destroyed; load the model again");
  });

  test("a shader error names the kernel and shows the numbered WGSL", async () => {
    await open();
    const failure = await device.pipeline(double, { broken: true }).catch((error: Error) => error);
    expect(failure).toMatchObject({ name: "DeviceError" });
    const { message } = failure as Error;
    expect(message).toContain("kernel double broken=true does not compile");
    expect(message).toContain("undeclared");
    expect(message).toMatch(/^ {3}8 .*undeclared/m);
    // The mistake is not remembered: the device still works.
    expect(await doubled()).toEqual([2, 4, 6]);
  });

  test("a lost device is one clear error, and the next one works", async () => {
    await open();
    // Losing the device behind our back.
    device.gpu.destroy();
    await device.gpu.lost;
    expect(() => device.check()).toThrow(/the GPU device was lost .*load the model again$/);
    await expect(doubled()).rejects.toMatchObject({ name: "DeviceError" });
    device.destroy();
    await open();
    expect(await doubled()).toEqual([2, 4, 6]);
  });

  test("a buffer or binding that is too large is refused before it is made", async () => {
    await open();
    const { maxBinding } = device.capabilities;
    expect(() => device.tensor("huge", [maxBinding / 4 + 1])).toThrow(/^huge: .* do not fit one binding/);
    expect(device.memory.buffers).toBe(0);
  });
});

test("an unknown adapter is refused with the ones that were tried", async () => {
  await expect(findAdapter("no-such-gpu")).rejects.toThrow(
    /no GPU adapter is called "no-such-gpu" \(.+\); run "cosyvoice doctor"/,
  );
});
