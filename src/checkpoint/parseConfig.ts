/**
 * `config.json` to `Config`. The file may come from anywhere, so every field is looked at: present, of its kind, in bounds.
 */
import {
  type Config,
  type FlowConfig,
  type LmConfig,
  type MelConfig,
  MODES,
  type SpeakerConfig,
  type SpeaksConfig,
  type SpeechTokenizerConfig,
  samplesPerFrame,
  type VocoderConfig,
} from "../config.js";
import { FORMAT } from "./format.js";
import type { Lookup } from "./lookup.js";

/**
 * int: 1 or more; count: 0 or more; ints, lists: of whole numbers from 1. A number that no tensor's shape bears out, and that
 * multiplies work or memory, has a range: far above that of any real model, far below what would never end.
 */
type Kind = "int" | "count" | "number" | "ints" | "lists" | Range;
type Range = readonly [least: number, most: number];
type Schema = Readonly<Record<string, Kind>>;

const LAYERS: Range = [0, 256];
/** Kernels, dilations, up-sampling rates and the like. */
const MAX_ITEM = 1024;
/** More than any script has. */
const MAX_CHARACTERS = 1 << 17;
/** Values of the flow's noise table, 256 MiB: 80 bins for 4.6 hours. */
const MAX_NOISE = 2 ** 26;

const LM: Schema = {
  layers: [1, 256],
  width: "int",
  heads: "int",
  kvHeads: "int",
  headDim: "int",
  ffn: "int",
  textRows: "int",
  speechCodes: "int",
  speechRows: "int",
  ropeTheta: "number",
  normEps: "number",
  maxPositions: [1, 2 ** 20],
  "sampling.topP": "number",
  "sampling.topK": [1, 1024],
  "sampling.window": [0, 2 ** 16],
  "sampling.tauR": "number",
  mixRatio: "ints",
  minRatio: "number",
  maxRatio: "number",
};

const FLOW: Schema = {
  codes: "int",
  inputWidth: "int",
  width: "int",
  heads: "int",
  ffn: "int",
  blocks: LAYERS,
  upBlocks: LAYERS,
  lookahead: "count",
  chunk: "int",
  speakerWidth: "int",
  melBins: [1, 1024],
  "solver.steps": [1, 1000],
  "solver.guidance": "number",
  "solver.noiseFrames": "int",
  "estimator.inChannels": "int",
  "estimator.channels": "int",
  "estimator.heads": "int",
  "estimator.headDim": "int",
  "estimator.blocks": LAYERS,
  "estimator.midBlocks": LAYERS,
  "estimator.ffn": "int",
  "estimator.timeSinusoids": "int",
  "estimator.timeWidth": "int",
  "estimator.chunk": "int",
};

const VOCODER: Schema = {
  melBins: [1, 1024],
  base: "int",
  overtones: [0, 256],
  sineAmp: "number",
  noiseStd: "number",
  voicedThreshold: "number",
  upRates: "ints",
  upKernels: "ints",
  nFft: [2, 2048],
  hop: [1, 1024],
  resKernels: "ints",
  resDilations: "lists",
  sourceResKernels: "ints",
  sourceResDilations: "lists",
  leakySlope: "number",
  audioLimit: "number",
  f0Width: "int",
  f0Layers: [1, 256],
};

const SPEECH_TOKENIZER: Schema = {
  melBins: [1, 1024],
  width: "int",
  heads: "int",
  ffn: "int",
  layers: [1, 256],
  fsqDims: [1, 16],
  fsmnKernel: [1, MAX_ITEM],
  attnNormEps: "number",
  mlpNormEps: "number",
};

const SPEAKER: Schema = {
  melBins: [1, 1024],
  headChannels: "int",
  tdnnChannels: "int",
  blocks: "ints",
  dilations: "ints",
  growth: "int",
  bottleneck: "int",
  embedding: "int",
};

const MEL: Schema = { nFft: [2, 8192], hop: [1, 8192], win: [1, 8192], bins: [1, 1024], fMin: "number" };

/** @throws FileError naming the field. */
export function parseConfig(json: Lookup): Config {
  if (json.at("format") !== FORMAT)
    throw json.error("format", json.at("format"), `"${FORMAT}"; convert the model again`);
  if (json.at("generation") !== "cosyvoice2") throw json.error("generation", json.at("generation"), '"cosyvoice2"');
  const fMax = json.at("mel.fMax");
  const config = {
    format: FORMAT,
    generation: "cosyvoice2",
    ...section(json, "", { sampleRate: [1, 384_000], tokenRate: [1, 1000], tokenMelRatio: [1, 64] }),
    ...(json.at("segmentLength") === undefined ? {} : section(json, "", { segmentLength: [1, 1000] })),
    ...(json.at("segmentLimit") === undefined ? {} : section(json, "", { segmentLimit: [1, 1000] })),
    ...(json.at("speaks") === undefined ? {} : { speaks: speaks(json) }),
    ...optional(json, "lm", LM),
    ...optional(json, "flow", FLOW),
    ...optional(json, "vocoder", VOCODER),
    ...optional(json, "speechTokenizer", SPEECH_TOKENIZER),
    ...optional(json, "speaker", SPEAKER),
    mel: { ...section(json, "mel.", MEL), fMax: fMax === undefined ? null : json.number("mel.fMax") },
  } as unknown as Config;
  checkRelations(config, json);
  return config;
}

function speaks(json: Lookup): SpeaksConfig {
  return {
    characters: json.text("speaks.characters", MAX_CHARACTERS),
    languages: json.texts("speaks.languages"),
    modes: json.texts("speaks.modes", MODES),
  };
}

type Rule = readonly [holds: boolean, path: string, value: unknown, rule: string];

/** What the stages divide by, index with or hand to each other; sizes of tensors are checked against the weight tables. */
function checkRelations(config: Config, json: Lookup): void {
  const { lm, flow, vocoder, speechTokenizer, speaker } = config;
  const rules = [
    ...(lm ? lmRules(lm, flow) : []),
    ...(flow ? flowRules(flow, config.mel) : []),
    ...(vocoder ? vocoderRules(vocoder, config) : []),
    ...(speechTokenizer ? tokenizerRules(speechTokenizer) : []),
    ...(speaker ? speakerRules(speaker) : []),
    ...melRules(config.mel, config.sampleRate),
  ];
  for (const [holds, path, value, rule] of rules) if (!holds) throw json.error(path, value, rule);
}

function lmRules(lm: LmConfig, flow: FlowConfig | undefined): Rule[] {
  const { heads, kvHeads, headDim, speechCodes, speechRows, minRatio, maxRatio } = lm;
  return [
    [heads % kvHeads === 0, "lm.heads", heads, `a multiple of kvHeads ${kvHeads}`],
    [headDim % 2 === 0, "lm.headDim", headDim, "an even number, for the rotary pairs"],
    [lm.sampling.topP > 0, "lm.sampling.topP", lm.sampling.topP, "a number above 0"],
    [lm.mixRatio.length === 2, "lm.mixRatio", lm.mixRatio, "two numbers"],
    [speechRows >= speechCodes + 3, "lm.speechRows", speechRows, `at least speechCodes + 3 = ${speechCodes + 3}`],
    [maxRatio > 0 && maxRatio <= 1000, "lm.maxRatio", maxRatio, "a number above 0, at most 1000"],
    [minRatio >= 0 && minRatio <= maxRatio, "lm.minRatio", minRatio, `a number from 0 to maxRatio ${maxRatio}`],
    // Otherwise the language model says what the flow has no embedding for.
    [!flow || speechCodes <= flow.codes, "lm.speechCodes", speechCodes, `at most flow.codes ${flow?.codes}`],
  ];
}

function flowRules({ width, heads, melBins, solver }: FlowConfig, mel: MelConfig): Rule[] {
  const most = Math.floor(MAX_NOISE / melBins);
  return [
    [width % heads === 0, "flow.heads", heads, `a divisor of width ${width}`],
    [melBins === mel.bins, "flow.melBins", melBins, `mel.bins ${mel.bins}, the features of its prompt`],
    [solver.noiseFrames <= most, "flow.solver.noiseFrames", solver.noiseFrames, `at most ${most} for ${melBins} bins`],
  ];
}

function vocoderRules(vocoder: VocoderConfig, config: Config): Rule[] {
  const { upRates, upKernels, resKernels, resDilations, sourceResKernels, sourceResDilations, nFft, hop } = vocoder;
  const stages = upRates.length;
  const perStage = [upKernels, sourceResKernels, sourceResDilations];
  const odd = (kernels: readonly number[]) => kernels.every((kernel) => kernel % 2 === 1);
  const framed = upKernels.every((kernel, i) => kernel >= (upRates[i] ?? 0) && (kernel - (upRates[i] ?? 0)) % 2 === 0);
  const rate = config.tokenRate * config.tokenMelRatio * samplesPerFrame(vocoder);
  return [
    [
      perStage.every(({ length }) => length === stages),
      "vocoder.upRates",
      upRates,
      "as many as upKernels, sourceResKernels and sourceResDilations",
    ],
    [
      resDilations.length === resKernels.length,
      "vocoder.resDilations",
      resDilations,
      "one list for each of resKernels",
    ],
    [framed, "vocoder.upKernels", upKernels, `upRates ${JSON.stringify(upRates)} and an even number more each`],
    [odd(resKernels), "vocoder.resKernels", resKernels, "odd numbers"],
    [odd(sourceResKernels), "vocoder.sourceResKernels", sourceResKernels, "odd numbers"],
    [vocoder.base % 2 ** stages === 0, "vocoder.base", vocoder.base, `a multiple of 2^${stages}`],
    [nFft % (2 * hop) === 0, "vocoder.nFft", nFft, `a multiple of twice the hop ${hop}`],
    [vocoder.melBins === config.mel.bins, "vocoder.melBins", vocoder.melBins, `mel.bins ${config.mel.bins}`],
    [
      rate === config.sampleRate,
      "sampleRate",
      config.sampleRate,
      `tokenRate · tokenMelRatio · hop · the product of upRates = ${rate}`,
    ],
  ];
}

function tokenizerRules({ width, heads }: SpeechTokenizerConfig): Rule[] {
  return [
    [width % (2 * heads) === 0, "speechTokenizer.heads", heads, `a number that splits width ${width} into even parts`],
  ];
}

function speakerRules({ melBins, blocks, dilations }: SpeakerConfig): Rule[] {
  return [
    [melBins % 8 === 0, "speaker.melBins", melBins, "a multiple of 8, since the head halves them three times"],
    [dilations.length === blocks.length, "speaker.dilations", dilations, `as many as blocks, ${blocks.length}`],
  ];
}

function melRules({ nFft, hop, win, fMin, fMax }: MelConfig, sampleRate: number): Rule[] {
  const high = fMax ?? sampleRate / 2;
  return [
    [hop <= nFft, "mel.hop", hop, `at most nFft ${nFft}`],
    [win <= nFft, "mel.win", win, `at most nFft ${nFft}`],
    [fMin >= 0 && fMin < high, "mel.fMin", fMin, `a number from 0 to less than fMax ${high}`],
  ];
}

function optional(json: Lookup, name: string, schema: Schema): Record<string, unknown> {
  return json.at(name) === undefined ? {} : { [name]: section(json, `${name}.`, schema) };
}

/** The fields of one object; "a.b" in the schema is a field b of an object a. */
function section(json: Lookup, prefix: string, schema: Schema): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [path, kind] of Object.entries(schema)) {
    const value = field(json, prefix + path, kind);
    const [first = "", second] = path.split(".");
    if (second === undefined) out[first] = value;
    else out[first] = { ...(out[first] as object | undefined), [second]: value };
  }
  return out;
}

function field(json: Lookup, path: string, kind: Kind): unknown {
  if (typeof kind !== "string") return json.int(path, undefined, ...kind);
  switch (kind) {
    case "int":
      return json.int(path, undefined, 1);
    case "count":
      return json.int(path);
    case "number":
      return json.number(path);
    case "ints":
      return json.ints(path, MAX_ITEM);
    case "lists":
      return json.intLists(path, MAX_ITEM);
  }
}
