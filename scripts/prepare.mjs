// npm runs this after `npm ci` and before it packs: then it builds. `npx cosyvoice` in a clone runs it too, because npm first
// links the package into its own cache; what has been built is good enough there, and a build would cost every first call 20 s.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { bin } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
const built = Object.values(bin).every((path) => existsSync(`${root}${path}`));

if (!(process.env.npm_command === "exec" && built)) {
  const { status } = spawnSync("npm run build", { cwd: root, stdio: "inherit", shell: true });
  process.exitCode = status ?? 1;
}
