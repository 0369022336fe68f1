/** Voices kept as files, and found by name. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeWav } from "../../src/audio/wav.js";
import { findVoice, voiceOf } from "../../src/cli/voiceOptions.js";
import { VoicesFolder } from "../../src/cli/voicesFolder.js";
import type { ListenOptions } from "../../src/listen.js";
import { encodeVoice } from "../../src/voiceFile.js";
import { TINY } from "../helpers/tinyModel.js";
import { cosyvoice } from "./run.js";

const HEARING = fileURLToPath(new URL("../bundles/c/model", import.meta.url));
const SUFFIX = ".voice.safetensors";

let voices: string;
let wav: string;
beforeEach(() => {
  voices = mkdtempSync(join(tmpdir(), "cosyvoice-voices-"));
  wav = join(voices, "glide.wav");
  let phase = 0;
  const samples = Float32Array.from({ length: 9600 }, (_, n) => {
    phase += (2 * Math.PI * (120 + 60 * Math.sin(n / 4000))) / 16_000;
    return 0.2 * (Math.sin(phase) + 0.5 * Math.sin(3 * phase));
  });
  writeFileSync(wav, encodeWav(samples, 16_000));
});
afterEach(() => rmSync(voices, { recursive: true, force: true }));

const voice = (...args: string[]) => cosyvoice(["voice", ...args], { env: { COSYVOICE_VOICES: voices } });
const files = () => readdirSync(voices).sort();

/** A voice that fits the model of the package. */
function keep(name: string): void {
  const config = JSON.parse(readFileSync(join(TINY, "config.json"), "utf8"));
  const bins = config.flow.melBins;
  const embedding = new Float32Array(config.flow.speakerWidth).fill(1);
  const prompt = { tokens: Int32Array.of(1, 2, 3), mel: new Float32Array(6 * bins).fill(-5) };
  const facts = { name, transcript: "Well, well.", source: "ab".repeat(32), licence: "CC0", seconds: 0.12 };
  writeFileSync(join(voices, name + SUFFIX), encodeVoice({ name, embedding, prompt }, bins, facts));
}

describe("voices of a folder", () => {
  test("are listed and shown; a damaged one does not hide the others", async () => {
    keep("anna");
    keep("中文女");
    writeFileSync(join(voices, `broken${SUFFIX}`), "x");
    const { status, stdout } = await voice("list");
    expect(status).toBe(0);
    // Those of the model that speaks when none is named come first.
    expect(stdout).toBe(
      `${TINY}: 2\n  alice  a trained speaker\n  中文女    a trained speaker\n${voices}: 3\n  anna    a recording of 0.1 s, "Well, well."\n  broken  damaged: ${join(voices, `broken${SUFFIX}`)}: 1 bytes, too short for a safetensors file\n  中文女     a recording of 0.1 s, "Well, well."\n`,
    );
    const shown = await voice("show", "anna", "--json");
    expect(JSON.parse(shown.stdout)).toMatchObject({
      name: "anna",
      from: join(voices, `anna${SUFFIX}`),
      kind: "recording",
      tokens: 3,
      seconds: 0.12,
      transcript: "Well, well.",
      source: "ab".repeat(32),
      licence: "CC0",
    });
    expect((await voice("show", "anna")).stdout).toMatch(/^voice {7}anna\n.*\nlicence {5}CC0\n$/s);
    const listed = await voice("list", "--model", HEARING, "--json");
    expect(new Set(JSON.parse(listed.stdout).map((one: { from: string }) => one.from)).has(HEARING)).toBe(true);
    expect(JSON.parse((await voice("show", "alice", "--json")).stdout)).toMatchObject({ kind: "speaker", from: TINY });
  });

  test("are removed by name alone; what is not there is told from what is", async () => {
    keep("anna");
    keep("ben");
    expect(await voice("remove", "anna")).toMatchObject({
      status: 0,
      stdout: `removed ${join(voices, `anna${SUFFIX}`)}\n`,
    });
    expect(files()).toEqual([`ben${SUFFIX}`, "glide.wav"]);
    const { status, stderr } = await voice("remove", "anna");
    expect([status, stderr]).toEqual([1, `error: voice "anna" is unknown; ${voices} has "ben"\n`]);
    const unknown = await voice("show", "carla");
    expect(unknown.stderr).toContain(`voice "carla" is unknown; ${TINY} has "alice", "中文女"; ${voices} has "ben"`);
  });

  test.each(["../anna", "a/b", "a\\b", ".anna", "", "x".repeat(51), "anna.safetensors", "a\nb", "a\u202eb"])(
    "the name %j is refused",
    async (name) => {
      const folder = new VoicesFolder(voices);
      expect(() => folder.fileOf(name)).toThrow("a name has 1 to 50 characters");
      await expect(folder.remove(name)).rejects.toThrow("a name has 1 to 50 characters");
    },
  );

  test("the folder is that of the option, of the environment, or of the user", async () => {
    expect(new VoicesFolder("here").path).toBe("here");
    expect(new VoicesFolder(undefined).path).toMatch(/cosyvoice.*voices$/);
    expect(await new VoicesFolder(join(voices, "none")).names()).toEqual([]);
    expect((await cosyvoice(["voice", "list", "--voices", join(voices, "none")])).stdout).toMatch(
      new RegExp(`^${join(voices, "none")}: none\n$`, "m"),
    );
  });
});

describe("--voice", () => {
  const [speaker = ""] = speakersOfTiny();

  test("finds the model's own speakers first, then those of the folder", async () => {
    const find = (name: string) => findVoice({ voice: name, voices }, TINY);
    expect(await find("nobody")).toMatchObject({ voice: "nobody" });
    keep("anna");
    keep(speaker);
    expect(await find("anna")).toMatchObject({ voice: join(voices, `anna${SUFFIX}`) });
    expect(await find(speaker)).toMatchObject({ voice: speaker });
    await expect(find("nobody")).rejects.toThrow(`voice "nobody" is unknown; the model has "${speaker}"`);
    expect(await findVoice({ promptWav: wav, voices }, "no-model")).toEqual({ promptWav: wav, voices });
  });

  test("speaks with a voice of the folder, warns of what may be wrong, and says which of two of a name speaks", async () => {
    keep("anna");
    const args = ["speak", "Yes.", "-o", join(voices, "a.wav"), "--json", "--voice"];
    const env = { COSYVOICE_VOICES: voices };
    const { status, stdout, stderr } = await cosyvoice([...args, "anna"], { env });
    expect([status, stderr.includes("error")]).toEqual([0, false]);
    const { voice: name, mode, warnings, stop } = JSON.parse(stdout);
    expect([name, mode]).toEqual(["anna", "zero-shot"]);
    expect(warnings[0]).toMatch(/^"Yes\.": less than half as long as the transcript/);
    expect(warnings[1]).toMatch(/^voice "anna": \d+ text tokens and 3 speech tokens/);
    expect(warnings.length).toBe(stop === "length" ? 3 : 2);
    expect(stderr.match(/^warning: .*$/gm)).toEqual(warnings.map((line: string) => `warning: ${line}`));
    keep(speaker);
    const both = await cosyvoice([...args, speaker], { env });
    expect(both.stderr).toContain(`warning: "${speaker}" is a speaker of the model, who speaks`);
    expect(JSON.parse(both.stdout)).toMatchObject({ voice: speaker, mode: "sft" });
    const unknown = await cosyvoice([...args, "nobody"], { env });
    expect(unknown.stderr).toContain(`voice "nobody" is unknown; the model has "${speaker}"`);
    expect(unknown.stderr).toContain(`; ${voices} has "alice", "anna"`);
  });

  test("silence around a recording is left when the official ways are asked for", async () => {
    const asked: (boolean | undefined)[] = [];
    const tts = { listen: async (_: unknown, { trim }: ListenOptions) => void asked.push(trim) };
    await voiceOf(tts as never, { promptWav: wav });
    await voiceOf(tts as never, { promptWav: wav, compat: "official" });
    expect(asked).toEqual([true, false]);
  });
});

describe("a voice of a recording", () => {
  test("is made once, kept, spoken and converted with, and not replaced by mistake", async () => {
    const add = ["add", "glide", wav, "--model", HEARING, "--prompt-text", "Ah, well.", "--licence", "CC0"];
    const made = await voice(...add, "--json");
    const short = `${wav}: 0.6 s of sound, 3 to 10 s are best; a longer one says more of the voice`;
    expect([made.status, made.stderr]).toEqual([0, `warning: ${short}\n`]);
    expect(JSON.parse(made.stdout).warnings).toEqual([short]);
    const source = createHash("sha256").update(readFileSync(wav)).digest("hex");
    const file = join(voices, `glide${SUFFIX}`);
    expect(JSON.parse(made.stdout)).toMatchObject({ from: file, source, licence: "CC0", transcript: "Ah, well." });
    expect(existsSync(file)).toBe(true);
    const first = readFileSync(file);
    const again = await voice(...add);
    expect([again.status, again.stderr]).toEqual([1, `error: voice "glide": ${file} is there; --force replaces it\n`]);
    // One that has the name of a speaker, who is told from it by the model's folder.
    const alice = join(voices, `alice${SUFFIX}`);
    writeFileSync(alice, first);
    const forced = await cosyvoice(["voice", "add", "alice", wav, "--force"], {
      env: { COSYVOICE_VOICES: voices, COSYVOICE_MODEL: HEARING },
    });
    expect(forced.stderr).toContain(`warning: ${HEARING} has a speaker "alice" too, who goes first`);
    expect(forced.stdout).toMatch(/alice\.voice\.safetensors: a recording of 0\.\d s, no transcript\n$/);
    expect(readFileSync(alice).equals(first)).toBe(false);

    const env = { COSYVOICE_VOICES: voices };
    const out = join(voices, "out.wav");
    const spoken = await cosyvoice(["speak", "No.", "--model", HEARING, "--voice", alice, "-o", out, "--json"], {
      env,
    });
    expect(JSON.parse(spoken.stdout)).toMatchObject({ voice: "alice", mode: "cross-lingual" });
    const converted = await cosyvoice(["vc", wav, "--model", HEARING, "--voice", "glide", "-o", out, "--json"], {
      env,
    });
    expect(JSON.parse(converted.stdout)).toMatchObject({ voice: "glide", tokens: 15 });
  }, 600_000);

  test("is refused before anything is heard when its name, its words or the model are wrong", async () => {
    const add = (name: string, ...more: string[]) => voice("add", name, wav, ...more);
    expect((await add("../x", "--model", "no-model")).stderr).toMatch(/^error: voice "\.\.\/x": a name has/);
    expect((await add("x", "--model", TINY, "--prompt-text", " ")).stderr).toContain("--prompt-text: it is blank");
    expect((await add("x", "--model", "no-model")).stderr).toContain("no-model: no such file or folder");
    expect((await add("x", "--model", TINY)).stderr).toContain("to hear, a model needs speechTokenizer and speaker");
    expect(files()).toEqual(["glide.wav"]);
  });
});

/** Names in the model of the package. */
function speakersOfTiny(): string[] {
  const file = readFileSync(join(TINY, "voices.safetensors"));
  const header = JSON.parse(file.toString("utf8", 8, 8 + Number(file.readBigUInt64LE(0))));
  return JSON.parse(header.__metadata__.voices);
}
