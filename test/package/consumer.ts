/** Projects that use the package as npm gives it to them: packed, unpacked, its dependencies beside it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

/** What is in the packed package: paths and bytes. */
export interface PackedFile {
  readonly path: string;
  readonly size: number;
}

export class Consumers {
  readonly folder = mkdtempSync(join(tmpdir(), "cosyvoice-consumers-"));
  /** The packed package. */
  readonly tarball: string;
  readonly files: readonly PackedFile[];

  constructor() {
    // Without its scripts: they would build dist again under the other tests.
    const options = ["--ignore-scripts", "--json", "--pack-destination", this.folder];
    const output = execFileSync("npm", ["pack", ...options], { cwd: root, encoding: "utf8", stdio: "pipe" });
    const parsed = JSON.parse(output) as unknown;
    const [{ filename, files }] = (Array.isArray(parsed) ? parsed : Object.values(parsed as object)) as [
      { readonly filename: string; readonly files: readonly PackedFile[] },
    ];
    this.tarball = join(this.folder, filename);
    this.files = files;
  }

  /**
   * Makes a project, and gives its folder.
   * @param files the project's own, by path
   * @param packages others that it has, beside what the package depends on
   */
  make(name: string, files: Readonly<Record<string, string>>, packages: readonly string[] = []): string {
    const folder = join(this.folder, name);
    const own = join(folder, "node_modules", "cosyvoice-webgpu");
    mkdirSync(own, { recursive: true });
    execFileSync("tar", ["-xzf", this.tarball, "-C", own, "--strip-components=1"]);
    const { dependencies, optionalDependencies } = JSON.parse(
      readFileSync(join(own, "package.json"), "utf8"),
    ) as Manifest;
    for (const other of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...packages]) {
      const link = join(folder, "node_modules", other);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(root, "node_modules", other), link);
    }
    for (const [path, text] of Object.entries({ "package.json": '{ "type": "module" }', ...files })) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return folder;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
