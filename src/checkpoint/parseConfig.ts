/**
 * `config.json` to `Config`. The file may come from anywhere, so every field is looked at: present, of its kind, in bounds.
 */
import type { Config } from "../config.js";
import { FORMAT } from "./format.js";
import type { Lookup } from "./lookup.js";

/** int: 1 or more; count: 0 or more; ints, lists: of whole numbers from 1. */
type Kind = "int" | "count" | "number" | "ints" | "lists";
type Schema = Readonly<Record<string, Kind>>;

const LM: Schema = {
  layers: "int",
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
  maxPositions: "int",
  "sampling.topP": "number",
  "sampling.topK": "int",
  "sampling.window": "count",
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
  blocks: "count",
  upBlocks: "count",
  lookahead: "count",
  chunk: "int",
  speakerWidth: "int",
  melBins: "int",
  "solver.steps": "int",
  "solver.guidance": "number",
  "solver.noiseFrames": "int",
  "estimator.inChannels": "int",
  "estimator.channels": "int",
  "estimator.heads": "int",
  "estimator.headDim": "int",
  "estimator.blocks": "count",
  "estimator.midBlocks": "count",
  "estimator.ffn": "int",
  "estimator.timeSinusoids": "int",
  "estimator.timeWidth": "int",
  "estimator.chunk": "int",
};

const VOCODER: Schema = {
  melBins: "int",
  base: "int",
  overtones: "count",
  sineAmp: "number",
  noiseStd: "number",
  voicedThreshold: "number",
  upRates: "ints",
  upKernels: "ints",
  nFft: "int",
  hop: "int",
  resKernels: "ints",
  resDilations: "lists",
  sourceResKernels: "ints",
  sourceResDilations: "lists",
  leakySlope: "number",
  audioLimit: "number",
  f0Width: "int",
  f0Layers: "int",
};

const SPEECH_TOKENIZER: Schema = {
  melBins: "int",
  width: "int",
  heads: "int",
  ffn: "int",
  layers: "int",
  fsqDims: "int",
  fsmnKernel: "int",
  attnNormEps: "number",
  mlpNormEps: "number",
};

const SPEAKER: Schema = {
  melBins: "int",
  headChannels: "int",
  tdnnChannels: "int",
  blocks: "ints",
  dilations: "ints",
  growth: "int",
  bottleneck: "int",
  embedding: "int",
};

const MEL: Schema = { nFft: "int", hop: "int", win: "int", bins: "int", fMin: "number" };

/** @throws FileError naming the field. */
export function parseConfig(json: Lookup): Config {
  if (json.at("format") !== FORMAT)
    throw json.error("format", json.at("format"), `"${FORMAT}"; convert the model again`);
  if (json.at("generation") !== "cosyvoice2") throw json.error("generation", json.at("generation"), '"cosyvoice2"');
  const fMax = json.at("mel.fMax");
  const config = {
    format: FORMAT,
    generation: "cosyvoice2",
    ...section(json, "", { sampleRate: "int", tokenRate: "int", tokenMelRatio: "int" }),
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

/** What the stages divide by or index with; sizes of tensors are checked against the weight tables. */
function checkRelations({ lm, flow, vocoder }: Config, json: Lookup): void {
  const rules: [boolean, string, unknown, string][] = [];
  if (lm) {
    rules.push([lm.heads % lm.kvHeads === 0, "lm.heads", lm.heads, `a multiple of kvHeads ${lm.kvHeads}`]);
    rules.push([lm.headDim % 2 === 0, "lm.headDim", lm.headDim, "an even number, for the rotary pairs"]);
    rules.push([lm.mixRatio.length === 2, "lm.mixRatio", lm.mixRatio, "two numbers"]);
    rules.push([
      lm.speechRows >= lm.speechCodes + 3,
      "lm.speechRows",
      lm.speechRows,
      `at least speechCodes + 3 = ${lm.speechCodes + 3}`,
    ]);
  }
  if (flow) rules.push([flow.width % flow.heads === 0, "flow.heads", flow.heads, `a divisor of width ${flow.width}`]);
  if (vocoder) {
    const stages = vocoder.upRates.length;
    const lists = [vocoder.upKernels, vocoder.sourceResKernels, vocoder.sourceResDilations];
    rules.push([
      lists.every(({ length }) => length === stages),
      "vocoder.upRates",
      vocoder.upRates,
      "as many as upKernels, sourceResKernels and sourceResDilations",
    ]);
    rules.push([
      vocoder.resDilations.length === vocoder.resKernels.length,
      "vocoder.resDilations",
      vocoder.resDilations,
      "one list for each of resKernels",
    ]);
    rules.push([vocoder.base % 2 ** stages === 0, "vocoder.base", vocoder.base, `a multiple of 2^${stages}`]);
    rules.push([vocoder.nFft % 2 === 0, "vocoder.nFft", vocoder.nFft, "an even number"]);
  }
  for (const [holds, path, value, rule] of rules) if (!holds) throw json.error(path, value, rule);
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
  switch (kind) {
    case "int":
      return json.int(path, undefined, 1);
    case "count":
      return json.int(path);
    case "number":
      return json.number(path);
    case "ints":
      return json.ints(path);
    case "lists":
      return json.intLists(path);
  }
}
