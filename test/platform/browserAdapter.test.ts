/** What a page is told about its GPU. */
import { afterEach, expect, test, vi } from "vitest";
import { findAdapter, packagedVoice } from "../../src/platform/browser.js";

afterEach(() => vi.unstubAllGlobals());

/** A browser that shows this of its GPU. */
function browser(info: Readonly<Record<string, string>>): void {
  const shown = { vendor: "", architecture: "", device: "", description: "", isFallbackAdapter: false, ...info };
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => ({ info: shown }) } });
}

const nameOf = async (wanted?: string) => (await findAdapter(wanted)).description.name;

test.each([
  [{ vendor: "nvidia", architecture: "ada" }, "nvidia-ada"],
  [{ vendor: "google", architecture: "swiftshader", device: "0xC0DE" }, "google-0xc0de"],
  [{ description: "Apple M3" }, "apple-m3"],
])("%o is called %s and answers to it", async (info, name) => {
  browser(info);
  expect([await nameOf(), await nameOf(name.slice(2))]).toEqual([name, name]);
  await expect(findAdapter("voodoo")).rejects.toThrow(
    `the browser's GPU adapter is "${name}", not "voodoo"; a page cannot choose another`,
  );
});

test("a GPU that the browser hides is called unknown and answers to no name", async () => {
  browser({});
  expect(await nameOf()).toBe("unknown");
  await expect(findAdapter("nvidia")).rejects.toThrow(
    'this browser hides what GPU it has (its vendor, device and description are empty), so nobody can tell whether it is "nvidia"; name no adapter',
  );
});

test("a browser without WebGPU is told what to use, and Firefox what to turn on", async () => {
  vi.stubGlobal("navigator", {});
  await expect(findAdapter()).rejects.toThrow(
    /^this browser has no WebGPU \(navigator.gpu is missing\); use a current .* over https \(Firefox may need dom.webgpu.enabled in about:config\)$/,
  );
});

test("a page that names no model is told how to name the one in the package", () => {
  expect(packagedVoice).toThrow(
    'no model is given; for the voice in this package write: import { english } from "cosyvoice-webgpu/english", then CosyVoice.load(english)',
  );
});
