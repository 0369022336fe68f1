/** Where results go when there is no room for them, or nobody reads them any more. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cosyvoice } from "./run.js";

const bundle = (path: string) => fileURLToPath(new URL(`../bundles/${path}`, import.meta.url));
const errors = (stderr: string) => stderr.split("\n").filter((line) => line.startsWith("error: "));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cosyvoice-output-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a full disk", () => {
  test("behind stdout is one line, without the summary of a success", async () => {
    const { status, stderr } = await cosyvoice(["speak", "Yes.", "-o", "-"], { stdout: "/dev/full" });
    expect(errors(stderr)).toEqual(["error: stdout: the disk is full"]);
    expect(stderr).not.toMatch(/s of audio|cancelled/);
    expect(status).toBe(1);
  }, 600_000);

  test("loses no results unnoticed", async () => {
    const { status, stderr } = await cosyvoice(["normalize", "Yes.", "--json"], { stdout: "/dev/full" });
    expect(stderr).toBe("error: stdout: the disk is full\n");
    expect(status).toBe(1);
  });
});

describe("a reader that went away", () => {
  test("ends a run quietly, as the signal would", async () => {
    const { status, stderr } = await cosyvoice(["normalize", "Yes."], { stdout: "closed" });
    expect(stderr).toBe("");
    expect(status).toBe(141);
  });

  test("does not make a success of a failed comparison", async () => {
    const args = ["parity", bundle("b/model"), "--reference", bundle("a"), "--stages", "tokenizer"];
    const read = await cosyvoice(args);
    expect([read.status, errors(read.stderr).length]).toEqual([1, 1]);
    const { status } = await cosyvoice(args, { stdout: "closed" });
    expect([1, 141]).toContain(status);
  });
});

test("two processes with one seed write the same bytes, to a file and to stdout; a full disk for the picture costs the picture alone", async () => {
  const [a, b] = [join(folder, "a.wav"), join(folder, "b.wav")];
  const file = await cosyvoice(["speak", "Yes.", "--seed", "5", "-o", a, "--spectrogram", "/dev/full"]);
  expect(errors(file.stderr)).toEqual(["error: /dev/full: the disk is full"]);
  expect(file.stdout).toContain("s of audio");
  expect(file.status).toBe(1);
  const pipe = await cosyvoice(["speak", "Yes.", "--seed", "5", "-o", "-"], { stdout: b });
  expect(pipe.stderr).toContain("s of audio");
  expect(pipe.status).toBe(0);
  const bytes = readFileSync(a);
  expect(bytes.length).toBeGreaterThan(1000);
  expect(bytes.equals(readFileSync(b))).toBe(true);
  expect(readdirSync(folder)).toEqual(["a.wav", "b.wav"]);
}, 600_000);
