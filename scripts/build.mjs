// Builds dist: the compiled sources, the grammars as modules, and one file of types for each public entry.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = `${root}dist`;
const { bin } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));

function compile() {
  // By its path: a second TypeScript, for tests of the types, has a program of the same name.
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const { status } = spawnSync(process.execPath, [tsc, "-p", `${root}tsconfig.build.json`], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

/** Files beside the code are copied by some bundlers and not by others; every one of them copies a module. */
function writeGrammars() {
  mkdirSync(`${dist}/grammars`);
  for (const language of ["en", "zh"]) {
    const constants = ["tagger", "verbalizer"].map((part) => {
      const packed = readFileSync(`${root}weights/wetext/${language}-${part}.packed`);
      return `export const ${part} = "${packed.toString("base64")}";\n`;
    });
    writeFileSync(`${dist}/grammars/${language}.js`, constants.join(""));
  }
}

/** Of the declarations only what is public is kept, so that nobody's compiler meets types of ours that it does not know. */
async function bundleTypes() {
  for (const entry of ["index", "english"]) {
    const bundle = await rollup({ input: `${dist}/types/src/${entry}.d.ts`, plugins: [dts()] });
    await bundle.write({ file: `${dist}/src/${entry}.d.ts` });
  }
  rmSync(`${dist}/types`, { recursive: true });
}

rmSync(dist, { recursive: true, force: true });
compile();
writeGrammars();
await bundleTypes();
for (const path of Object.values(bin)) chmodSync(`${root}${path}`, 0o755);
