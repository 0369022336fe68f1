/**
 * The two networks that hear a recording, at full size on ten seconds of sound, beside the same graphs in ONNX Runtime. All contenders
 * take turns, so that what else the machine does falls on all of them; outputs are compared before anything is timed.
 */
import { FBANK_BINS, fbank } from "../src/audio/fbank.js";
import { whisperMel } from "../src/audio/whisperMel.js";
import type { Model } from "../src/checkpoint/model.js";
import { OFFICIAL_FILES } from "../src/checkpoint/official.js";
import { checkCancelled } from "../src/errors.js";
import type { AdapterDescription } from "../src/gpu/capabilities.js";
import type { Device } from "../src/gpu/device.js";
import { SpeakerEncoder } from "../src/speaker/speakerEncoder.js";
import type { Progress } from "../src/speech.js";
import { SpeechTokenizer } from "../src/speechTokenizer/speechTokenizer.js";
import type { Contender, GraphInput, Peers } from "./onnxRuntime.js";

export const PROMPT_SECONDS = 10;
const RATE = 16_000;
const LEAST_ROUNDS = 3;

/** Below these, two contenders do not compute the same network, and times would compare nothing. */
const LEAST_EQUAL_IDS = 0.98;
const LEAST_COSINE = 0.9999;

export interface EarRow {
  readonly net: string;
  readonly by: string;
  /** Median of the rounds. */
  readonly ms: number;
  /** With everything that is made once: shaders, pipelines, plans. */
  readonly firstMs: number;
  readonly rounds: number;
  /** Of our own time over this one's: above 1, this one is faster. */
  readonly ratio?: number;
  /** How its output compares with ours. */
  readonly agreement?: string;
}

export interface EarsReport {
  readonly adapter: AdapterDescription;
  /** Where the weights come from. */
  readonly model: string;
  readonly onnxRuntime?: string;
  readonly rows: readonly EarRow[];
  /** Peers that are not in the table, and why. */
  readonly missing: readonly string[];
}

export interface EarsOptions {
  /** Time for each contender; three rounds are run in any case. */
  readonly seconds: number;
  /** Who else runs the networks; default nobody. */
  readonly peers?: Peers;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

const NOBODY: Peers = {
  version: undefined,
  providers: [],
  missing: ["no --onnx folder was given, so nothing runs beside it"],
  open: (file) => Promise.reject(new Error(`nobody runs ${file}`)),
};

interface Net {
  readonly name: string;
  readonly load: () => Promise<Contender>;
  readonly file: string;
  readonly inputs: readonly GraphInput[];
  readonly compare: (ours: ArrayLike<number>, theirs: ArrayLike<number>) => { same: boolean; agreement: string };
}

/** @throws FileError when the model lacks one of the networks, CancelledError when the signal fires */
export async function benchEars(device: Device, model: Model, options: EarsOptions): Promise<EarsReport> {
  const { peers = NOBODY } = options;
  const missing = [...peers.missing];
  const rows: EarRow[] = [];
  for (const net of netsOf(device, model, prompt(PROMPT_SECONDS))) {
    rows.push(...(await race(net, peers, missing, options)));
  }
  return {
    adapter: device.capabilities.adapter,
    model: model.name,
    ...(peers.version === undefined ? {} : { onnxRuntime: peers.version }),
    rows,
    missing,
  };
}

function netsOf(device: Device, model: Model, sound: Float32Array): Net[] {
  const { mel, frames } = whisperMel(sound, model.config.speechTokenizer?.melBins);
  const [bins, bank] = [mel.length / frames, model.config.speaker?.melBins ?? FBANK_BINS];
  const features = fbank(sound, bank);
  const columns = Float32Array.from(mel, (_, i) => mel[(i % frames) * bins + Math.floor(i / frames)] as number);
  return [
    {
      name: "speech tokenizer v2",
      load: async () => {
        const net = await SpeechTokenizer.load(device, model);
        return { name: "this engine", run: async () => (await net.run(mel)).ids, destroy: () => net.destroy() };
      },
      file: OFFICIAL_FILES.speechTokenizer,
      inputs: [
        { type: "float32", data: columns, dims: [1, bins, frames] },
        { type: "int32", data: Int32Array.of(frames), dims: [1] },
      ],
      compare: (ours, theirs) => {
        const equal = Array.from(ours).filter((id, i) => id === theirs[i]).length;
        const same = ours.length === theirs.length && equal >= LEAST_EQUAL_IDS * ours.length;
        return { same, agreement: `${equal} of ${ours.length} ids` };
      },
    },
    {
      name: "speaker encoder CAM++",
      load: async () => {
        const net = await SpeakerEncoder.load(device, model);
        return { name: "this engine", run: () => net.run(features), destroy: () => net.destroy() };
      },
      file: OFFICIAL_FILES.speaker,
      inputs: [{ type: "float32", data: features, dims: [1, features.length / bank, bank] }],
      compare: (ours, theirs) => {
        const cosine = dot(ours, theirs) / Math.sqrt(dot(ours, ours) * dot(theirs, theirs));
        return { same: cosine >= LEAST_COSINE, agreement: `cosine ${cosine.toFixed(7)}` };
      },
    },
  ];
}

interface Entrant {
  readonly by: Contender;
  readonly firstMs: number;
  readonly agreement?: string;
  readonly times: number[];
}

/** Loads all that can run the network, compares them with our own, and lets them take turns. */
async function race(net: Net, peers: Peers, missing: string[], options: EarsOptions): Promise<EarRow[]> {
  const { seconds, signal, onProgress } = options;
  const tell = (what: string, done: number) => {
    checkCancelled(signal, "the bench");
    onProgress?.({ what: `${net.name}: ${what}`, done, total: LEAST_ROUNDS + 1 });
  };
  const opened: Contender[] = [];
  try {
    tell("loading", 0);
    const own = await net.load();
    opened.push(own);
    const first = await timed(own);
    const entrants: Entrant[] = [{ by: own, firstMs: first.ms, times: [] }];
    for (const provider of peers.providers) {
      tell(`loading onnxruntime ${provider}`, 0);
      try {
        const by = await peers.open(net.file, provider, net.inputs);
        opened.push(by);
        const { ms, output } = await timed(by);
        const { same, agreement } = net.compare(first.output, output);
        if (same) entrants.push({ by, firstMs: ms, agreement, times: [] });
        else missing.push(`${net.name}, ${by.name}: not timed, its output is another one (${agreement})`);
      } catch (error) {
        missing.push(`${net.name}, onnxruntime ${provider}: ${error instanceof Error ? error.message : error}`);
      }
    }
    const end = performance.now() + 1000 * seconds * entrants.length;
    for (let round = 0; round < LEAST_ROUNDS || performance.now() < end; round++) {
      for (const { by, times } of entrants) {
        tell(by.name, Math.min(1 + round, LEAST_ROUNDS));
        times.push((await timed(by)).ms);
      }
    }
    const ours = median(entrants[0]?.times ?? []);
    return entrants.map(({ by, firstMs, times, agreement }) => {
      const row = { net: net.name, by: by.name, ms: median(times), firstMs, rounds: times.length };
      return agreement === undefined ? row : { ...row, agreement, ratio: ours / row.ms };
    });
  } finally {
    for (const contender of opened) await contender.destroy();
  }
}

async function timed(contender: Contender): Promise<{ ms: number; output: ArrayLike<number> }> {
  const start = performance.now();
  const output = await contender.run();
  return { ms: performance.now() - start, output };
}

/** Sound with the shape of speech: a gliding tone with overtones, louder and softer, in a little noise. */
function prompt(seconds: number): Float32Array {
  let phase = 0;
  return Float32Array.from({ length: seconds * RATE }, (_, n) => {
    const t = n / RATE;
    phase += (2 * Math.PI * (140 + 60 * Math.sin(2 * Math.PI * 1.7 * t))) / RATE;
    let tone = 0;
    for (let k = 1; k < 12; k++) tone += Math.sin(k * phase) / k;
    const hiss = ((n * 0.6180339887) % 1) - 0.5; // a Weyl sequence, as in syntheticModel.ts
    return 0.2 * (0.6 + 0.4 * Math.sin(2 * Math.PI * 2.3 * t)) * tone + 0.01 * hiss;
  });
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, v, i) => sum + v * (b[i] ?? Number.NaN), 0);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[half] ?? 0) : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}
