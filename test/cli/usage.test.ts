import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { cosyvoice, type Ran } from "./run.js";

const bundle = fileURLToPath(new URL("../bundles/a", import.meta.url));

const COMMANDS = ["doctor", "convert", "speak", "vc", "voice", "batch", "normalize", "parity", "bench"];

/** What `--help` of a command gives; each is asked for once. */
const helps = new Map<string, Promise<Ran>>();
function help(command: string): Promise<Ran> {
  const known = helps.get(command) ?? cosyvoice([...command.split(" "), "--help"]);
  helps.set(command, known);
  return known;
}

describe("help", () => {
  test("lists the commands, with an example", async () => {
    const { status, stdout } = await cosyvoice(["--help"]);
    expect(status).toBe(0);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(stdout).toContain('$ cosyvoice speak "Hello, it works." -o hello.wav');
  });

  test.each(COMMANDS)("%s --help shows its options and an example", async (command) => {
    const { status, stdout } = await help(command);
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples?:\\n\\s+(\\$ )?cosyvoice ${command}`));
    expect(stdout).toContain("--adapter <name>");
  });

  test.each(["speak", "vc", "batch", "normalize", "bench", "doctor", "voice add", "voice list", "voice show"])(
    "%s --help says which model is used when none is named",
    async (command) => {
      const { stdout } = await help(command);
      expect(stdout.replace(/\s+/g, " ")).toContain("(default: that of COSYVOICE_MODEL, else the one in the package)");
    },
  );

  test("--version is the package's", async () => {
    const { status, stdout } = await cosyvoice(["--version"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

test("npx in a clone runs it", async () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const { stdout } = await cosyvoice(["--version"]);
  expect(execFileSync("npx", ["--offline", "cosyvoice", "--version"], { cwd: root, encoding: "utf8" })).toBe(stdout);
});

describe("bad usage ends with status 2 and one line", () => {
  test.each([
    [["sing"], "unknown command 'sing'"],
    [["doctor", "--jsn"], "unknown option '--jsn' (Did you mean --json?)"],
    [["speak", "hello", "--seed", "soon"], "It must be a whole number"],
    [["speak", "hello", "--speed", "0"], "It must be a number above 0"],
    [["speak", "hello", "--dtype", "f64"], "Allowed choices are f32, f16"],
    [["speak", "hello", "--text-file", "a.txt"], "not both"],
    [["speak", "one", "two"], "too many arguments"],
    [["speak", "hello", "--normalize", "maybe"], "Allowed choices are wetext, none"],
    [["normalize", "hello", "--text-file", "a.txt"], "not both"],
    [["convert", "only-one"], "missing required argument 'model-dir'"],
    [["parity", "m", "--reference", "b", "--stages", ","], "It names no stage"],
    [["parity", "m", "--reference", "b", "--stages", ""], "It names no stage"],
    // The model is not there either: a name is looked up before that is opened.
    [
      ["parity", "m", "--reference", bundle, "--stages", "flow,sing"],
      'no stage is called "sing"; there are tokenizer,',
    ],
    [["voice", "sing"], "unknown command 'sing'"],
    [["voice", "add", "anna"], "missing required argument"],
    [["speak", "hello", "--compat", "theirs"], "Allowed choices are official"],
    [["parity", "model"], "required option '--reference <bundle>' not specified"],
  ])("%j", async (args, message) => {
    const { status, stdout, stderr } = await cosyvoice(args);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });

  test("no command at all shows the help", async () => {
    const { status, stderr } = await cosyvoice([]);
    expect(stderr).toContain("Usage: cosyvoice");
    expect(status).toBe(2);
  });
});

describe("bad input ends with status 1 and one line", () => {
  test.each([
    [["speak", "hello", "--model", "no-such-folder"], "no-such-folder: no such file or folder"],
    [["speak", "hello", "-o", "no-such-folder/a.wav"], "the folder no-such-folder does not exist"],
    [["speak", "--text-file", "no-such-file.txt"], "no-such-file.txt: no such file or folder"],
    [["normalize", " "], "it is empty or blank"],
    [["normalize", "hello", "--model", "no-such-folder"], "no-such-folder: no such file or folder"],
    [["convert", "no-such-folder", "out"], "no-such-folder: no such file or folder"],
    [["parity", "m", "--reference", "no-such-bundle"], "no-such-bundle: no such file or folder"],
    [
      ["parity", "m", "--reference", "b", "--json", "no-such-folder/a.json"],
      "the folder no-such-folder does not exist",
    ],
    [["speak", "hello", "-o", "/proc/a.wav"], "/proc/a.wav: "],
    [["doctor", "--adapter", "abacus"], 'no GPU adapter is called "abacus"'],
  ])("%j", async (args, message) => {
    const { status, stdout, stderr } = await cosyvoice(args);
    expect(stderr).toContain(message);
    expect(stderr.split("\n").filter((line) => line.startsWith("error: "))).toHaveLength(1);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe("");
    expect(status).toBe(1);
  });

  test("--debug adds the stack", async () => {
    const { status, stderr } = await cosyvoice(["--debug", "parity", "m", "--reference", "no-such-bundle"]);
    expect(stderr).toMatch(/^error: FileError: no-such-bundle.*\n\s+at /m);
    expect(status).toBe(1);
  });
});
