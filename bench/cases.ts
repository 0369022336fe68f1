/**
 * The dispatches of a real utterance: the stages go through it once, at the sizes of the release with one layer of every kind, and every
 * graph they compile is noted. So the bench times what the engine does, with the kernels and constants it chooses on this device, and
 * cannot fall behind it.
 */
import type { Config } from "../src/config.js";
import { Flow } from "../src/flow/flow.js";
import type { Device } from "../src/gpu/device.js";
import type { DispatchStep, Graph } from "../src/gpu/graph.js";
import { type Bindings, variantName } from "../src/gpu/kernel.js";
import { LanguageModel } from "../src/lm/lm.js";
import { SpeakerEncoder } from "../src/speaker/speakerEncoder.js";
import { SpeechTokenizer } from "../src/speechTokenizer/speechTokenizer.js";
import { Vocoder } from "../src/vocoder/vocoder.js";
import { bytesOf, flopOf, loadsOf } from "./cost.js";
import type { Case } from "./harness.js";
import { oneOfEach } from "./release.js";
import { syntheticModel } from "./syntheticModel.js";
import { twinsOf } from "./twins.js";

/** Text ids and speech tokens of a sentence of about three seconds; of one, on a CPU, where three would take minutes for a row. */
const TEXT = 24;
const SPEECH = { hardware: 75, software: 25 };

/** Feature frames of a prompt of ten seconds; of one, on a CPU. */
const PROMPT = { hardware: 1000, software: 100 };

/** Cached positions that attention walks over when decoding is timed. */
const DECODED = 500;

/** Every kernel in every shape that an utterance of this config and its prompt dispatch, whole and streamed; then the kernels that were not chosen. */
export async function kernelCases(device: Device, config: Config): Promise<Case[]> {
  const graphs: Graph[] = [];
  const kind = device.capabilities.adapter.software ? "software" : "hardware";
  const speech = SPEECH[kind];
  device.onGraph = (graph) => graphs.push(graph);
  const model = syntheticModel(oneOfEach(config), "f16");
  try {
    const lm = await LanguageModel.load(device, model);
    await lm.generate({ textIds: Array.from({ length: TEXT }, (_, i) => i), seed: 0, greedy: true, maxLen: 9 });
    lm.destroy();
    // A token follows from the one before it. What comes now has its shapes from the input alone, so it is noted without being computed.
    device.idle = true;
    const flow = await Flow.load(device, model);
    const input = {
      token: Int32Array.from({ length: speech }, (_, i) => i),
      promptToken: new Int32Array(),
      promptFeat: new Float32Array(),
      embedding: new Float32Array(flow.config.speakerWidth).fill(1),
      finalize: true,
    };
    await flow.run({ ...input, streaming: true });
    const { mel } = await flow.run({ ...input, streaming: false });
    await flow.mask(speech * flow.tokenMelRatio, flow.config.estimator.chunk);
    flow.destroy();
    const vocoder = await Vocoder.load(device, model);
    await vocoder.run({ mel, seed: 0 });
    vocoder.destroy();
    const tokenizer = await SpeechTokenizer.load(device, model);
    await tokenizer.run(new Float32Array(PROMPT[kind] * tokenizer.config.melBins));
    tokenizer.destroy();
    const speaker = await SpeakerEncoder.load(device, model);
    await speaker.run(new Float32Array(PROMPT[kind] * speaker.config.melBins));
    speaker.destroy();
  } finally {
    device.onGraph = undefined;
    device.idle = false;
  }
  const seen = new Map<string, Case>();
  for (const step of graphs.flatMap(({ steps }) => steps)) {
    if (step.kind !== "dispatch") continue;
    const row = caseOf(step);
    const key = `${variantName(step.kernel, step.constants)} ${JSON.stringify(step.params)} ${JSON.stringify(row.shapes)}`;
    if (!seen.has(key)) seen.set(key, row);
  }
  const cases = [...seen.values()];
  return [...cases, ...twinsOf(cases)];
}

/** A row is called by its kernel and by what it writes: `matvec decode.logits`. */
function caseOf({ kernel, constants, params, tensors }: DispatchStep): Case {
  const bindings: Bindings = kernel.bindings(constants);
  const written = Object.entries(bindings).find(([, { access }]) => access === "read_write")?.[0];
  const label = written ? tensors[written]?.label.replace(/#\d+$/, "") : "";
  const flop = flopOf(kernel.name, params, constants);
  const bytes = bytesOf(kernel.name, params);
  const row = {
    name: `${kernel.name} ${label}`,
    kernel,
    constants,
    params,
    shapes: Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape])),
    flop,
    loads: loadsOf(kernel.name, flop, constants),
    ...(bytes === undefined ? {} : { bytes }),
  };
  return kernel.name === "cachedAttention" ? longDecode(row) : row;
}

/** Decoding attention with a cache as long as in the middle of a long sentence, instead of the few positions of the noted run. */
function longDecode(row: Case): Case {
  const { heads = 1, kvHeads = 1, columns = 1 } = row.params;
  const rows = row.params.rows ?? 1;
  const cache = [DECODED + rows, 2 * kvHeads * columns * 4];
  const tables = Object.hasOwn(row.shapes, "rope") ? { rope: [DECODED + rows, columns * 2, 2] } : {};
  return {
    ...row,
    params: { ...row.params, length0: DECODED + rows, length1: 0, length2: 0, length3: 0 },
    shapes: { ...row.shapes, ...tables, cache0: cache, cache1: [4], cache2: [4], cache3: [4] },
    data: { state: Int32Array.of(DECODED, 0, 0, 0) },
    flop: 4 * rows * heads * columns * 4 * DECODED,
  };
}
