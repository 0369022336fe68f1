/** How adapters are found, on a made-up machine: two GPUs, and lavapipe for two kinds of processor. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { findAdapter, listAdapters } from "../../src/platform/node.js";

const machine = vi.hoisted(() => ({
  gpus: [] as { vendor: string; device: string; software?: boolean }[],
  instances: 0,
  /** Where the system keeps the manifests of its drivers. */
  drivers: "/usr/share/vulkan/icd.d",
  /** Driver files the loader saw, with those it still saw a moment later. */
  seen: [] as [string | undefined, string | undefined][],
}));

vi.mock("webgpu", () => ({
  globals: {},
  create(options: string[]) {
    machine.instances++;
    const only = options.find((option) => option.startsWith("adapter="))?.slice("adapter=".length);
    return {
      async requestAdapter() {
        const drivers = process.env.VK_DRIVER_FILES;
        await new Promise((resolve) => setTimeout(resolve, 5));
        machine.seen.push([drivers, process.env.VK_DRIVER_FILES]);
        const gpus = drivers === undefined ? machine.gpus : [{ vendor: "soft", device: drivers, software: true }];
        const gpu = gpus.find(({ device }) => only === undefined || device.includes(only));
        if (!gpu && only !== undefined && gpus.length > 0) {
          const lines = gpus.map(({ device }) => ` * backend: 'vulkan', name: '${device}'`);
          throw new Error(["no suitable backends found", "Available adapters:", ...lines].join("\n"));
        }
        return gpu ? { info: { ...gpu, architecture: "", description: "", isFallbackAdapter: gpu.software } } : null;
      },
    };
  },
}));
vi.mock("../../src/platform/swiftshader.js", () => ({ bundledDriver: async () => ({ path: "/cache/vk_ss.json" }) }));
vi.mock("node:fs", async (original) => ({
  ...(await original<typeof import("node:fs")>()),
  existsSync: (path: string) => path === machine.drivers,
  readdirSync: () => ["intel_icd.json", "lvp_icd.i686.json", "lvp_icd.aarch64.json", "lvp_icd.x86_64.json"],
}));

const architecture = Object.getOwnPropertyDescriptor(process, "arch") as PropertyDescriptor;
beforeEach(() => {
  machine.gpus = [
    { vendor: "nvidia", device: "Big GPU" },
    { vendor: "intel", device: "Small GPU" },
    { vendor: "mesa", device: "llvmpipe", software: true },
  ];
  machine.seen = [];
  machine.drivers = "/usr/share/vulkan/icd.d";
  vi.stubEnv("COSYVOICE_ADAPTER", "");
  vi.stubEnv("VK_DRIVER_FILES", undefined);
});
afterEach(() => {
  Object.defineProperty(process, "arch", architecture);
  vi.unstubAllEnvs();
});

const nameOf = async (wanted?: string) => (await findAdapter(wanted)).description.name;

test("every hardware GPU is listed and answers to its name; software ones among them are left out", async () => {
  const names = (await listAdapters()).map(({ name }) => name);
  expect(names).toEqual(["nvidia-big-gpu", "intel-small-gpu", "lavapipe", "swiftshader"]);
  expect(await nameOf("small")).toBe("intel-small-gpu");
  expect(await nameOf("Hardware")).toBe("nvidia-big-gpu");
  await expect(findAdapter("medium")).rejects.toThrow(
    'no GPU adapter is called "medium" (nvidia-big-gpu: not what was asked for; intel-small-gpu: not what was asked for)',
  );
});

test("an empty COSYVOICE_ADAPTER is none, another one is taken", async () => {
  expect([await nameOf(), await nameOf("")]).toEqual(["nvidia-big-gpu", "nvidia-big-gpu"]);
  vi.stubEnv("COSYVOICE_ADAPTER", "intel");
  expect([await nameOf(), await nameOf("swiftshader")]).toEqual(["intel-small-gpu", "swiftshader"]);
});

test.each([
  ["x64", "lvp_icd.x86_64.json"],
  ["arm64", "lvp_icd.aarch64.json"],
])("on %s lavapipe is %s", async (arch, manifest) => {
  Object.defineProperty(process, "arch", { ...architecture, value: arch });
  await findAdapter("lavapipe");
  expect(machine.seen).toEqual([Array(2).fill(`/usr/share/vulkan/icd.d/${manifest}`)]);
});

test("requests at once do not see each other's driver, and share the instances", async () => {
  const wanted = ["lavapipe", "swiftshader", "hardware"];
  await Promise.all(wanted.map(nameOf));
  const before = machine.instances;
  machine.seen = [];
  expect(await Promise.all([...wanted, ...wanted].map(nameOf))).toEqual(
    Array(2).fill(["lavapipe", "swiftshader", "nvidia-big-gpu"]).flat(),
  );
  expect(machine.instances).toBe(before);
  expect(machine.seen).toHaveLength(6);
  for (const [drivers, later] of machine.seen) expect(later).toBe(drivers);
  expect(process.env.VK_DRIVER_FILES).toBeUndefined();
});

test("where the system has no driver at all Dawn is not asked for one, since it would complain on stderr", async () => {
  machine.drivers = "";
  await expect(findAdapter("hardware")).rejects.toThrow(
    'no GPU adapter is called "hardware" (hardware: no Vulkan driver is installed); run "cosyvoice doctor"',
  );
  expect(machine.seen).toEqual([]);
  expect(await nameOf()).toBe("swiftshader");
});

test.each([
  ["XDG_DATA_DIRS", "/snap/share:/app/share", "/app/share/vulkan/icd.d"],
  ["XDG_CONFIG_HOME", "/home/anna/.settings", "/home/anna/.settings/vulkan/icd.d"],
  ["VK_DRIVER_FILES", "/opt/gpu.json", ""],
])("drivers that %s names are asked for", async (variable, value, folder) => {
  machine.drivers = folder;
  vi.stubEnv(variable, value);
  await findAdapter("hardware").catch(() => undefined);
  expect(machine.seen).toHaveLength(1);
});
