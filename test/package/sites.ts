/** The bundlers that a page may be made with, each as its users run it. */
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { build as esbuild } from "esbuild";
import * as vite8 from "vite";
import * as vite7 from "vite7";
import webpack from "webpack";

/** A page that is served, and what its bundler warned of. */
export interface Site {
  readonly url: string;
  readonly warnings: readonly string[];
  close(): Promise<unknown>;
}

/** Makes a site of the project in a folder. */
export type Bundler = (folder: string) => Promise<Site>;

type Vite = Pick<typeof vite8, "createServer" | "build" | "preview" | "createLogger">;

/** Neither version of Vite minds the other's types; they differ in options that are not used here. */
const VITE_7 = vite7 as unknown as Vite;

function viteOptions(vite: Vite, root: string, warnings: string[], exclude: readonly string[]): vite8.InlineConfig {
  const customLogger = vite.createLogger("silent");
  const warn = (text: string) => void warnings.push(text);
  Object.assign(customLogger, { warn, warnOnce: warn, error: warn });
  return {
    ...{ root, customLogger, configFile: false, server: { port: 0, host: "localhost" } },
    preview: { port: 0, host: "localhost" },
    optimizeDeps: { exclude: [...exclude] },
  };
}

const development =
  (vite: Vite, exclude: readonly string[] = []): Bundler =>
  async (folder) => {
    const warnings: string[] = [];
    const server = await (await vite.createServer(viteOptions(vite, folder, warnings, exclude))).listen();
    return { url: server.resolvedUrls?.local[0] ?? "", warnings, close: () => server.close() };
  };

const production =
  (vite: Vite): Bundler =>
  async (folder) => {
    const warnings: string[] = [];
    const options = viteOptions(vite, folder, warnings, []);
    await vite.build(options);
    const server = await vite.preview(options);
    return { url: server.resolvedUrls?.local[0] ?? "", warnings, close: () => server.close() };
  };

const withWebpack: Bundler = async (folder) => {
  const path = join(folder, "dist");
  const compiler = webpack({
    ...{ context: folder, mode: "production", entry: "./main.js", output: { path }, performance: false },
    // Which takes longer than all the rest, and the others do.
    optimization: { minimize: false },
  });
  const stats = await new Promise<webpack.Stats>((resolve, reject) =>
    compiler.run((error, stats) => (stats ? resolve(stats) : reject(error))),
  );
  await new Promise((resolve) => compiler.close(resolve));
  const { errors = [], warnings = [] } = stats.toJson({ all: false, errors: true, warnings: true });
  writePage(path);
  return serve(
    path,
    [...errors, ...warnings].map(({ message }) => message),
  );
};

/** It copies no files: the page has a copy of the voice, as docs/pages.md says. */
const withEsbuild: Bundler = async (folder) => {
  const outdir = join(folder, "dist");
  const { errors, warnings } = await esbuild({
    ...{ absWorkingDir: folder, entryPoints: ["main.js"], outdir, bundle: true, format: "esm", splitting: true },
    logLevel: "silent",
  });
  cpSync(join(folder, "node_modules/cosyvoice-webgpu/weights/english"), join(outdir, "english"), { recursive: true });
  writePage(outdir);
  return serve(
    outdir,
    [...errors, ...warnings].map(({ text }) => text),
  );
};

/** Vite 7 in development moves code of a package away from the files beside it, unless it is told not to. */
export const BUNDLERS = {
  "vite 8 in development": development(vite8),
  "vite 8": production(vite8),
  "vite 7 in development": development(VITE_7, ["cosyvoice-webgpu/english"]),
  "vite 7 in development, untold": development(VITE_7),
  "vite 7": production(VITE_7),
  webpack: withWebpack,
  esbuild: withEsbuild,
} as const satisfies Readonly<Record<string, Bundler>>;

export const PAGE = '<!doctype html><meta charset="utf-8"><script type="module" src="./main.js"></script>';

function writePage(folder: string): void {
  writeFileSync(join(folder, "index.html"), PAGE);
}

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript" };

/** Files, without ranges and under a policy that allows nothing but the page's own. */
async function serve(folder: string, warnings: readonly string[]): Promise<Site> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = join(folder, pathname === "/" ? "index.html" : decodeURIComponent(pathname));
    if (!existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    response.setHeader("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'");
    response.setHeader("Content-Type", TYPES[extname(path)] ?? "application/octet-stream");
    return response.end(request.method === "HEAD" ? undefined : readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://localhost:${port}/`, warnings, close: async () => server.close() };
}
