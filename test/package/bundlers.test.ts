/** A page speaks with the package, whatever bundler made it, and says the same as Node, sample by sample. */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer-core";
import * as vite8 from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBrowser } from "./browser.js";
import { Consumers } from "./consumer.js";
import { BUNDLERS, developmentUntold, PAGE } from "./sites.js";

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

test.each(Object.keys(BUNDLERS))("%s", async (name) => {
  const main = name === "esbuild" ? MAIN_WITH_COPY : MAIN;
  const folder = consumers.make(name.replaceAll(" ", "-"), { "index.html": PAGE, "main.js": main });
  const site = await BUNDLERS[name]?.(folder);
  if (!site) throw new Error(name);
  try {
    expect(await withPage(site.url, (page) => page.evaluate("speak()"))).toEqual(expected);
    if (name === "vite 8") {
      const check = (await withPage(site.url, (page) => page.evaluate("check()"))) as { readonly passed: boolean };
      expect(check).toMatchObject({ passed: true, adapter: { name: "google-swiftshader" } });
    }
    expect(site.warnings).toEqual([]);
  } finally {
    await site.close();
  }
});

test("vite 7 in development, untold, leaves the voice behind and says what to write", async () => {
  const folder = consumers.make("untold", { "index.html": PAGE, "main.js": MAIN });
  const site = await developmentUntold(folder);
  try {
    const speaking = withPage(site.url, (page) => page.evaluate("speak()"));
    await expect(speaking).rejects.toThrow(
      'the bundler left the voice out: serve a copy of node_modules/cosyvoice-webgpu/weights/english and give CosyVoice.load its address (Vite 7 in development needs optimizeDeps: { exclude: ["cosyvoice-webgpu/english"] })',
    );
  } finally {
    await site.close();
  }
});

test("a page that does not name the voice in the package does not carry it", async () => {
  const main = 'import { CosyVoice } from "cosyvoice-webgpu"; window.load = CosyVoice.load;';
  const root = consumers.make("small", { "index.html": PAGE, "main.js": main });
  await vite8.build({ root, configFile: false, logLevel: "silent" });
  const assets = join(root, "dist", "assets");
  const sizes = readdirSync(assets).map((file) => statSync(join(assets, file)).size);
  expect(sizes.reduce((a, b) => a + b)).toBeLessThan(1_500_000);
});
