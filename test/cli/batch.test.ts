import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeWav } from "../../src/audio/wav.js";
import { openModel } from "../../src/checkpoint/model.js";
import { jobsOf } from "../../src/cli/batchJobs.js";
import { type Result, Results } from "../../src/cli/batchResults.js";
import { openFolder } from "../../src/platform/node.js";
import { encodeVoice } from "../../src/voiceFile.js";
import { TINY } from "../helpers/tinyModel.js";
import { cosyvoice } from "./run.js";

const HEARING = fileURLToPath(new URL("../bundles/c/model", import.meta.url));

/** The tutorial's example, as it stands there: not quite JSON. */
const TUTORIAL = `{
  "paimon":{
      "zero-shot": [
      "卖唱的怎么又跑去喝酒了！",
    ],
    "cross-lingual": ["Hello, my name is Paimon."],
    "instruction-zero-shot": { "instruction":"用广东话说这句话", "text":"我觉得璃月的火锅很好吃！" },
\t"sft_inference":[ "卖唱的怎么又跑去喝酒了！", ]
  }
}`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cosyvoice-batch-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the jobs", () => {
  const jobs = (value: unknown, given = {}) =>
    jobsOf(typeof value === "string" ? value : JSON.stringify(value), "lists/jobs.json", given);

  test("are those of the tutorial", () => {
    const given = { promptWav: "paimon.wav", promptText: "大家好" };
    const items = jobs(TUTORIAL, given);
    expect(items.map(({ file, mode, instruct }) => [file, mode, instruct])).toEqual([
      ["paimon_zero_shot_0.wav", "zero-shot", undefined],
      ["paimon_cross_lingual_0.wav", "cross-lingual", undefined],
      ["paimon_instruction_zero_shot_0.wav", "instruct", "用广东话说这句话"],
      ["paimon_sft_inference_0.wav", "sft", undefined],
    ]);
    expect(items.slice(0, 3).map(({ voices }) => voices)).toEqual([[given], [given], [given]]);
    expect(items[3]?.voices).toEqual([{ voice: "paimon", ifKnown: true }, given]);
  });

  test("have voices of their own, found from the file's folder", () => {
    const own = { prompt_wav: "a.wav", prompt_text: "one", voice: "anna" };
    const [zero, sft] = jobs({ a: { "zero-shot": "x", sft_inference: "x", ...own } }, { voice: "other" });
    expect(zero?.voices).toEqual([{ promptWav: join(process.cwd(), "lists/a.wav"), promptText: "one" }]);
    expect(sft?.voices).toEqual([{ voice: "anna" }]);
    const [file] = jobs({ a: { "cross-lingual": ["x"], voice: "../v.voice.safetensors" } });
    expect(file?.voices).toEqual([{ voice: join(process.cwd(), "v.voice.safetensors") }]);
  });

  test("of upstream's flat form are those of trained speakers", () => {
    const items = jobs({ hibari: ["Hi there.", "And again."], anna: { "cross-lingual": ["Ah."] } }, { voice: "x" });
    expect(items.map(({ file, speaker, mode, text }) => [file, speaker, mode, text])).toEqual([
      ["hibari_sft_inference_0.wav", "hibari", "sft", "Hi there."],
      ["hibari_sft_inference_1.wav", "hibari", "sft", "And again."],
      ["anna_cross_lingual_0.wav", "anna", "cross-lingual", "Ah."],
    ]);
    expect(() => jobs({ hibari: ["x", 7] })).toThrow(/speaker "hibari": "sft_inference", number 2: the number 7/);
  });

  test("never name a file outside of the folder, nor one twice", () => {
    const names = ["../../etc/passwd", "..", "/", "a b", "a/b", "A_B", "", "甲".repeat(300), "a\u0000\n"];
    const files = jobs(Object.fromEntries(names.map((name) => [name, { sft_inference: ["x"] }]))).map(
      ({ file }) => file,
    );
    expect(new Set(files.map((file) => file.toLowerCase())).size).toBe(names.length);
    for (const file of files) {
      expect(file).toMatch(/^[\p{L}\p{N}_-]+\.wav$/u);
      expect(Buffer.byteLength(file)).toBeLessThan(255);
    }
    const alike = jobs({
      a: { "instruction-zero-shot": { instruction: "i", text: "x" } },
      a_instruction: { "zero-shot": "x" },
    });
    expect(alike.map(({ file }) => file)).toEqual(["a_instruction_zero_shot_0.wav", "a_instruction_zero_shot_0-2.wav"]);
  });

  const texts = { sft_inference: ["x"] };
  test.each([
    ["{", /^lists\/jobs\.json: not JSON; .* at line 1, column 2$/],
    ['{"a": {"sft_inference": ["x"]}, "a": {}}', /not JSON; Map keys must be unique at line 1/],
    [[], /^lists\/jobs\.json: a list where an object must be/],
    [{}, /there is no text to speak/],
    [{ a: { sft_inference: [] } }, /there is no text to speak/],
    [{ a: "x" }, /speaker "a": the string x where an object must be/],
    [{ a: { ...texts, "zero-shots": [] } }, /speaker "a": "zero-shots" is no key of a speaker; there are zero-shot, /],
    [{ a: { ...texts, toString: [] } }, /"toString" is no key/],
    [{ a: { sft_inference: ["x", 7] } }, /speaker "a": "sft_inference", number 2: the number 7 where a text must be/],
    [{ a: { sft_inference: ["x", " "] } }, /number 2: text: it is empty or blank/],
    [{ a: { sft_inference: ["x".repeat(60_000)] } }, /number 1: text: it has 60000 characters/],
    [{ a: { "instruction-zero-shot": { text: "x" } } }, /"instruction-zero-shot": instruction: nothing where a text/],
    [{ a: { "instruction-zero-shot": [{ text: "x", instruction: " " }] } }, /number 1: instruction: it is blank/],
    [{ a: { "instruction-zero-shot": { text: "x", instruction: "i", texts: 1 } } }, /"texts" is no key of it/],
    [{ a: { ...texts, prompt_text: "x" } }, /"prompt_text" are the words of "prompt_wav", which is missing/],
    [{ a: { ...texts, prompt_wav: "a.wav", prompt_text: " " } }, /speaker "a": "prompt_text": it is blank/],
    [{ a: { "zero-shot": ["x"], prompt_wav: "a.wav" } }, /zero-shot needs the words .* give them with "prompt_text"/],
    [{ a: { sft_inference: Array(10_001).fill("x") } }, /more than 10000 texts/],
  ])("that are wrong are refused by what is wrong, %#", (value, message) => {
    expect(() => jobs(value)).toThrow(message);
    expect(() => jobs(value)).not.toThrow("\n");
  });
});

test("speaks every item, lists what failed, and goes on from there", async () => {
  const model = await openModel(await openFolder(TINY));
  const { config } = model;
  await model.close();
  const prompt = {
    tokens: Int32Array.from({ length: 6 }, (_, i) => i),
    mel: new Float32Array(6 * config.tokenMelRatio * config.mel.bins).fill(-6),
    transcript: "Hello.",
  };
  const embedding = new Float32Array(config.flow?.speakerWidth ?? 0).fill(0.1);
  const facts = { name: "anna", transcript: "Hello." };
  writeFileSync(
    join(folder, "anna.voice.safetensors"),
    encodeVoice({ name: "anna", embedding, prompt }, config.mel.bins, facts),
  );
  writeFileSync(join(folder, "noise.wav"), "RIFF");
  const anna = {
    "zero-shot": ["Yes."],
    "cross-lingual": ["Oui."],
    "instruction-zero-shot": { instruction: "Slowly.", text: "No." },
    sft_inference: ["Yes."],
    voice: "anna.voice.safetensors",
  };
  const write = (jobs: object) => writeFileSync(join(folder, "jobs.json"), JSON.stringify(jobs));
  write({ anna, nobody: { sft_inference: ["Yes."] }, noise: { "cross-lingual": ["Yes."], prompt_wav: "noise.wav" } });
  const args = ["batch", join(folder, "jobs.json"), "--out", join(folder, "new", "out")];
  const out = join(folder, "new", "out");

  const first = await cosyvoice(args);
  expect(first.stdout).toMatch(/nobody_sft_inference_0\.wav: FAILED: the model has no voice "nobody"/);
  expect(first.stdout).toMatch(/noise_cross_lingual_0\.wav: FAILED: /);
  expect(first.stdout).toMatch(/^ +\d+\.\d\d +\d+ +\d+\.\d\d {2}zero-shot +anna_zero_shot_0\.wav/m);
  expect(first.stdout).toContain("4 of 6 are in ");
  expect(first.status).toBe(1);
  const wavs = readdirSync(out).sort();
  expect(wavs).toEqual([
    "anna_cross_lingual_0.wav",
    "anna_instruction_zero_shot_0.wav",
    "anna_sft_inference_0.wav",
    "anna_zero_shot_0.wav",
    "results.json",
  ]);
  const bytes = (name: string) => readFileSync(join(out, name));
  const before = Object.fromEntries(wavs.map((name) => [name, bytes(name)]));
  const times = () => wavs.slice(0, 4).map((name) => statSync(join(out, name)).mtimeMs);
  const made = times();

  // One WAV is gone, one text is another, the two that failed are not there any more.
  rmSync(join(out, "anna_zero_shot_0.wav"));
  write({ anna: { ...anna, "cross-lingual": ["Non."] } });
  const second = await cosyvoice([...args, "--json"]);
  expect(second.stderr).toContain("2 of 4 are there already");
  expect(second.status).toBe(0);
  expect(JSON.parse(second.stdout)).toEqual(JSON.parse(bytes("results.json").toString()).items);
  expect(JSON.parse(second.stdout)).toMatchObject([
    { file: "anna_zero_shot_0.wav", mode: "zero-shot", text: "Yes." },
    { file: "anna_cross_lingual_0.wav", text: "Non." },
    { file: "anna_instruction_zero_shot_0.wav", mode: "instruct", instruct: "Slowly." },
    { file: "anna_sft_inference_0.wav", mode: "sft", voice: "anna" },
  ]);
  expect(times().map((time, i) => time === made[i])).toEqual([false, true, true, false]);
  expect(bytes("anna_zero_shot_0.wav").equals(before["anna_zero_shot_0.wav"] as Buffer)).toBe(true);
  expect(bytes("anna_cross_lingual_0.wav").equals(before["anna_cross_lingual_0.wav"] as Buffer)).toBe(false);

  const third = await cosyvoice(args);
  expect(third.stderr).toContain("4 of 4 are there already");
  expect(third.stderr).not.toContain("speaking on");
  expect(third.status).toBe(0);
}, 600_000);

test("a recording is heard, also one of the command line, and a bad one fails its own items alone", async () => {
  const sound = Float32Array.from({ length: 16_000 }, (_, n) => 0.3 * Math.sin(n / (20 + 5 * Math.sin(n / 3000))));
  writeFileSync(join(folder, "glide.wav"), encodeWav(sound, 16_000));
  writeFileSync(join(folder, "slow.wav"), encodeWav(sound, 8_000));
  const glide = { prompt_wav: "glide.wav", prompt_text: "Ah." };
  const jobs = {
    glide: { "zero-shot": ["A."], "cross-lingual": ["A."], ...glide },
    slow: { "cross-lingual": ["A.", "B."], prompt_wav: "slow.wav" },
    other: { "cross-lingual": "A." },
  };
  writeFileSync(join(folder, "jobs.json"), JSON.stringify(jobs));
  const args = ["batch", "jobs.json", "--model", HEARING, "--prompt-wav", "glide.wav", "--out", "out", "--json"];
  const { status, stdout } = await cosyvoice(args, { cwd: folder });
  expect(status).toBe(1);
  const [zero, cross, slow, again, other] = JSON.parse(stdout);
  expect([zero, cross, other].map(({ voice, failed }) => [voice, failed])).toEqual(
    Array(3).fill(["glide.wav", undefined]),
  );
  expect([slow, again].map(({ failed }) => failed)).toEqual(Array(2).fill(expect.stringContaining("slow.wav: ")));
  expect(readFileSync(join(folder, "out", cross.file)).equals(readFileSync(join(folder, "out", other.file)))).toBe(
    true,
  );
}, 300_000);

test("Ctrl-C leaves whole files, and the same command goes on", async () => {
  writeFileSync(join(folder, "jobs.json"), JSON.stringify({ a: { sft_inference: ["Yes. ".repeat(40), "No."] } }));
  const args = ["batch", "jobs.json", "--out", "out", "--voice", "nobody"];
  const unknown = await cosyvoice(args, { cwd: folder });
  expect(unknown.stderr).toMatch(/^error: voice "nobody" is unknown/m);
  const model = await openModel(await openFolder(TINY));
  const [voice = ""] = model.voices;
  await model.close();
  const stopped = await cosyvoice([...args.slice(0, 4), "--voice", voice], {
    cwd: folder,
    interrupt: { at: "speaking on", signal: "SIGINT" },
  });
  expect(stopped.stderr).toContain("0 of 2 are done; the same command goes on");
  expect(stopped.status).toBe(130);
  expect(readdirSync(join(folder, "out"))).toEqual(["results.json"]);
}, 300_000);

test("a voice that nobody has fails its own items, and one that two have is told of once", async () => {
  for (const name of ["alice", "anna"]) writeFileSync(join(folder, `${name}.voice.safetensors`), "x");
  const texts = { sft_inference: ["Yes."] };
  const jobs = { nobody: { ...texts, voice: "nobody" }, alice: texts, b: { ...texts, voice: "alice" } };
  writeFileSync(join(folder, "jobs.json"), JSON.stringify(jobs));
  const args = ["batch", "jobs.json", "--out", "out", "--voice", "alice", "--json"];
  const { stdout, stderr, status } = await cosyvoice(args, { cwd: folder, env: { COSYVOICE_VOICES: folder } });
  expect(JSON.parse(stdout).map(({ voice, failed }: Result) => voice ?? failed)).toEqual([
    expect.stringContaining('voice "nobody" is unknown'),
    "alice",
    "alice",
  ]);
  expect(stderr.match(/"alice" is a speaker of the model, who speaks/g)).toHaveLength(1);
  expect(status).toBe(1);
}, 300_000);

test("what was made is written from time to time, and read back however long it is", async () => {
  const items = Array.from({ length: 400 }, (_, i) => ({
    file: `a_${i}.wav`,
    speaker: "a",
    mode: "sft" as const,
    text: "word ".repeat(10_000),
    voices: [{ voice: "alice" }],
  }));
  const settings = { model: TINY, adapter: undefined, dtype: undefined, normalize: "none", compat: undefined };
  const open = () => Results.open(folder, "jobs.json", items, { ...settings, seed: 0, speed: 1 });
  const results = await open();
  await results.write();
  const empty = statSync(join(folder, "results.json")).size;
  for (const item of items) {
    writeFileSync(join(folder, item.file), "");
    await results.add(item, { bytes: 0 });
  }
  expect(statSync(join(folder, "results.json")).size).toBe(empty);
  await results.write();
  expect(statSync(join(folder, "results.json")).size).toBeGreaterThan(2 ** 24);
  expect((await open()).missing).toEqual([]);
});

test("nothing is made of a file that is wrong, or is not there", async () => {
  writeFileSync(join(folder, "jobs.json"), JSON.stringify({ a: { "cross-lingual": ["x"], prompt_wav: "gone.wav" } }));
  const { status, stderr } = await cosyvoice(["batch", join(folder, "jobs.json"), "--out", join(folder, "out")]);
  expect(stderr).toMatch(/gone\.wav: no such file or folder$/m);
  expect(status).toBe(1);
  const none = await cosyvoice(["batch", join(folder, "none.json"), "--out", join(folder, "other")]);
  expect(none.stderr).toMatch(/none\.json: no such file or folder$/m);
  expect(existsSync(join(folder, "other"))).toBe(false);
  writeFileSync(join(folder, "noise.wav"), "RIFF");
  const args = ["batch", "jobs.json", "--out", "other", "--prompt-wav", "noise.wav"];
  const noise = await cosyvoice(args, { cwd: folder });
  expect(noise.stderr).toMatch(/^error: .*noise\.wav: /m);
  expect(existsSync(join(folder, "other"))).toBe(false);
});
