/** A Chromium whose WebGPU is SwiftShader, as it comes with the optional package or as the system has it. */
import { existsSync } from "node:fs";
import chromium from "@sparticuz/chromium";
import puppeteer, { type Browser } from "puppeteer-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--use-angle=swiftshader",
];

const SYSTEM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function openBrowser(): Promise<Browser> {
  const failures: string[] = [];
  for (const find of [() => chromium.executablePath(), ...SYSTEM.filter(existsSync).map((path) => () => path)]) {
    try {
      return await puppeteer.launch({ executablePath: await find(), headless: true, args: FLAGS });
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(
    `no Chromium could be started (Debian: apt-get install libnss3, or chromium): ${failures.join("; ")}`,
  );
}
