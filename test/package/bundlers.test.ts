/** A page speaks with the package, whatever bundler made it, and says the same as Node, sample by sample. */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer-core";
import * as vite8 from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBrowser } from "./browser.js";
import { Consumers } from "./consumer.js";
import { BUNDLERS, PAGE, type Site } from "./sites.js";

const speaks = (source: string) => `
  const tts = await CosyVoice.load(${source});
  const { samples, segments } = await tts.speak("I paid 23.", { seed: 7 });
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", samples));
  return { read: segments.map(({ text }) => text), samples: samples.length, hash: [...hash].join() };`;

const MAIN = `
  import { CosyVoice, checkGpu } from "cosyvoice-webgpu";
  import { english } from "cosyvoice-webgpu/english";
  window.speak = async () => { ${speaks("english")} };
  window.check = () => checkGpu();`;

/** For a bundler that copies no files. */
const MAIN_WITH_COPY = `
  import { CosyVoice } from "cosyvoice-webgpu";
  window.speak = async () => { ${speaks('"english"')} };`;

const NODE = `
  import { CosyVoice } from "cosyvoice-webgpu";
  const speak = async () => { ${speaks('undefined, { adapter: "swiftshader" }')} };
  console.log(JSON.stringify(await speak()));
  process.exit();`;

let browser: Browser;
let consumers: Consumers;
let expected: unknown;

beforeAll(async () => {
  consumers = new Consumers();
  const folder = consumers.make("node", { "main.js": NODE });
  expected = JSON.parse(execFileSync(process.execPath, ["main.js"], { cwd: folder, encoding: "utf8" }));
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  consumers?.remove();
});

async function withPage<T>(url: string, use: (page: Page) => Promise<T>): Promise<T> {
  const page = await browser.newPage();
  try {
    await page.goto(url);
    await page.waitForFunction("window.speak !== undefined", { timeout: 60_000 });
    return await use(page);
  } finally {
    await page.close();
  }
}

test("Node speaks with the voice in the package and reads its number", () => {
  expect(expected).toMatchObject({ read: ["I paid twenty three."] });
});

async function withSite<T>(name: keyof typeof BUNDLERS, main: string, use: (site: Site) => Promise<T>): Promise<void> {
  const files = { "index.html": PAGE, "main.js": main };
  const site = await BUNDLERS[name](consumers.make(name.replaceAll(" ", "-"), files));
  try {
    await use(site);
    expect(site.warnings).toEqual([]);
  } finally {
    await site.close();
  }
}

test.each<[keyof typeof BUNDLERS, string]>([
  ["vite 8", MAIN],
  ["vite 8 in development", MAIN],
  ["vite 7", MAIN],
  ["vite 7 in development", MAIN],
  ["webpack", MAIN],
  ["esbuild", MAIN_WITH_COPY],
])("a page of %s speaks a number as Node does", async (name, main) => {
  await withSite(name, main, async ({ url }) => {
    expect(await withPage(url, (page) => page.evaluate("speak()"))).toEqual(expected);
    if (name !== "webpack") return;
    const check = await withPage(url, (page) => page.evaluate("check()"));
    expect(check).toMatchObject({ passed: true, adapter: { name: "google-swiftshader" } });
  });
});

test("a page of vite 7 in development, untold, lacks the voice and says what to write", async () => {
  await withSite("vite 7 in development, untold", MAIN, async ({ url }) => {
    await expect(withPage(url, (page) => page.evaluate("speak()"))).rejects.toThrow(
      'the bundler left the voice out: serve a copy of node_modules/cosyvoice-webgpu/weights/english and give CosyVoice.load its address (Vite 7 in development needs optimizeDeps: { exclude: ["cosyvoice-webgpu/english"] })',
    );
  });
});

test("a page that does not name the voice in the package does not carry it", async () => {
  const main = 'import { CosyVoice } from "cosyvoice-webgpu"; window.load = CosyVoice.load;';
  const root = consumers.make("small", { "index.html": PAGE, "main.js": main });
  await vite8.build({ root, configFile: false, logLevel: "silent" });
  const assets = join(root, "dist", "assets");
  const sizes = readdirSync(assets).map((file) => statSync(join(assets, file)).size);
  expect(sizes.reduce((a, b) => a + b)).toBeLessThan(1_500_000);
});
