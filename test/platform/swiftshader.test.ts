import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bundledDriver } from "../../src/platform/swiftshader.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cosyvoice-driver-"));
  // Below a file nothing can be made, not even by root.
  writeFileSync(join(folder, "file"), "");
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "file", "cache"));
  mkdirSync(join(folder, "temporary"));
  vi.stubEnv("TMPDIR", join(folder, "temporary"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test.runIf(process.platform === "linux" && process.arch === "x64")(
  "where the home cannot be written the driver lies with the temporary files, if nobody else could have put it there",
  async () => {
    const { path = "" } = await bundledDriver();
    expect(dirname(dirname(path))).toBe(join(folder, "temporary"));
    expect(readdirSync(dirname(path)).sort()).toEqual([
      "libvk_swiftshader.so",
      "libvulkan.so.1",
      "vk_swiftshader_icd.json",
    ]);
    expect((await bundledDriver()).path).toBe(path);
    expect(readdirSync(join(folder, "temporary"))).toHaveLength(1);
    chmodSync(dirname(path), 0o777);
    expect((await bundledDriver()).reason).toMatch(/^could not unpack .* into .*\/file\/cache.* nor into /);
  },
);
