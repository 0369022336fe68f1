// Builds dist: the compiled sources, the grammars as modules, and one file of types for each public entry.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import ts from "typescript";

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
    const [{ code }] = (await bundle.generate({})).output;
    writeFileSync(`${dist}/src/${entry}.d.ts`, withoutPrivate(code));
  }
  rmSync(`${dist}/types`, { recursive: true });
}

/** TypeScript declares private members by their names; what nobody can call is left out, but that a class cannot be made with new. */
function withoutPrivate(code) {
  const file = ts.createSourceFile("types.d.ts", code, ts.ScriptTarget.Latest);
  const isPrivate = ({ modifiers = [] }) => modifiers.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
  const members = file.statements.filter(ts.isClassDeclaration).flatMap((declared) => [...declared.members]);
  return members
    .filter((member) => isPrivate(member) && !ts.isConstructorDeclaration(member))
    .reduceRight((text, { pos, end }) => text.slice(0, pos) + text.slice(end), code);
}

rmSync(dist, { recursive: true, force: true });
compile();
writeGrammars();
await bundleTypes();
for (const path of Object.values(bin)) chmodSync(`${root}${path}`, 0o755);
