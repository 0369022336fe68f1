// After tsc: makes the command line executable, and lets `npx cosyvoice` find it in a clone. npm links a package's binaries only
// into projects that depend on it, never into the package itself.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const folder = join(root, "node_modules", ".bin");

for (const [name, path] of Object.entries(bin)) {
  const file = join(root, path);
  chmodSync(file, 0o755);
  if (!existsSync(join(root, "node_modules"))) continue;
  mkdirSync(folder, { recursive: true });
  const link = join(folder, name);
  rmSync(link, { force: true });
  if (process.platform === "win32") writeFileSync(`${link}.cmd`, `@node "%~dp0\\${relative(folder, file)}" %*\r\n`);
  else symlinkSync(relative(folder, file), link);
}
