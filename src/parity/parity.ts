/**
 * Holds the engine against PyTorch: replays the inputs of a reference bundle on a device, stage by stage, and judges every output.
 */
import type { Model } from "../checkpoint/model.js";
import { CancelledError, CosyVoiceError, DeviceError, InputError } from "../errors.js";
import type { Device } from "../gpu/device.js";
import type { Bundle, Case } from "./bundle.js";
import { Engine } from "./engine.js";
import {
  type Finding,
  judgeExact,
  judgeFloats,
  judgeGreedy,
  judgeTokens,
  pearson,
  ruleFor,
  shapeFinding,
} from "./judge.js";
import { type Row, skipped } from "./report.js";
import { logMel, type Output, STAGES, type Stage } from "./stages.js";
import { textRows } from "./text.js";

export interface ParityOptions {
  /** Only these; default all. */
  readonly stages?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Stages of `text.json`. */
const TEXT_STAGES = ["tokenizer", "normalize"];

/**
 * Rows as they are found.
 * @throws InputError for a stage that neither the contract nor the bundle knows; DeviceError when the device is lost;
 * CancelledError when the signal fires. What else goes wrong within a case fails that case.
 */
export async function* runParity(
  model: Model,
  bundle: Bundle,
  device: Device,
  { stages, signal }: ParityOptions = {},
): AsyncGenerator<Row> {
  const unknown = unknownStage(stages, bundle);
  if (unknown !== undefined) throw new InputError(unknown);
  const wanted = (stage: string) => stages === undefined || stages.includes(stage);
  const engine = new Engine(device, model);
  try {
    yield* textRows(model, bundle.texts, wanted);
    const cases = inOrder(bundle.cases.filter(({ stage }) => wanted(stage)));
    for (const [index, test] of cases.entries()) {
      if (signal?.aborted) throw new CancelledError("parity was cancelled");
      engine.keepOnly(new Set(cases.slice(index).flatMap(({ stage }) => STAGES.get(stage)?.needs ?? [])));
      yield* caseRows(engine, test);
    }
  } finally {
    engine.destroy();
  }
}

/** Number of rows that are to come, for a progress display. */
export function countRows(bundle: Bundle, stages: readonly string[] | undefined): number {
  const wanted = (stage: string) => stages === undefined || stages.includes(stage);
  const outputs = bundle.cases
    .filter(({ stage }) => wanted(stage))
    .reduce((sum, test) => sum + outputsOf(test).length, 0);
  const fields = bundle.texts.reduce(
    (sum, { ids, segments, normalized }) =>
      sum +
      (wanted("tokenizer") ? Number(ids !== undefined) : 0) +
      (wanted("normalize") ? Number(segments !== undefined) + Number(normalized !== undefined) : 0),
    0,
  );
  return outputs + fields;
}

/** What is wrong with the first stage that neither the contract nor the bundle knows; undefined when there is none. */
export function unknownStage(stages: readonly string[] | undefined, bundle: Bundle): string | undefined {
  const known = new Set([...TEXT_STAGES, ...STAGES.keys(), ...bundle.cases.map(({ stage }) => stage)]);
  const unknown = stages?.find((stage) => !known.has(stage));
  if (unknown === undefined) return undefined;
  return `no stage is called ${JSON.stringify(unknown)}; there are ${[...known].join(", ")}`;
}

/** Stage by stage in the order of the pipeline, so that each part is loaded once; unknown ones last. */
function inOrder(cases: readonly Case[]): Case[] {
  const order = [...STAGES.keys()];
  const place = ({ stage }: Case) => (order.includes(stage) ? order.indexOf(stage) : order.length);
  return [...cases].sort((a, b) => place(a) - place(b));
}

/** The tensors of a case that get a row: everything that is no input. */
function outputsOf(test: Case): readonly string[] {
  const inputs = STAGES.get(test.stage)?.inputs ?? [];
  return test.tensorNames.filter((name) => !inputs.includes(name));
}

async function* caseRows(engine: Engine, test: Case): AsyncGenerator<Row> {
  const { model } = engine;
  const stage = STAGES.get(test.stage);
  const known = stage?.outputs ?? [];
  const toCompare: string[] = [];
  for (const tensor of outputsOf(test)) {
    const absent = (stage?.needs ?? []).find((component) => !model.components.includes(component));
    const reason = !known.includes(tensor)
      ? "unknown"
      : absent !== undefined
        ? `the model has no ${absent}`
        : undefined;
    if (reason === undefined) toCompare.push(tensor);
    else yield skipped(test.stage, test.name, tensor, reason);
  }
  if (!stage || toCompare.length === 0) return;

  const start = performance.now();
  const outputs = await compute(engine, stage, test);
  const ms = performance.now() - start;
  for (const tensor of toCompare) {
    const finding =
      outputs instanceof CosyVoiceError ? failure(outputs) : await compare(engine, test, tensor, outputs[tensor]);
    yield { stage: test.stage, case: test.name, tensor, ...finding, ms };
  }
}

/** The outputs of a case, or why it has none. A device that is gone ends the whole run. */
async function compute(engine: Engine, stage: Stage, test: Case): Promise<Record<string, Output> | CosyVoiceError> {
  try {
    const outputs = await stage.run(engine, test);
    engine.device.check();
    return outputs;
  } catch (error) {
    if (!(error instanceof CosyVoiceError) || error instanceof CancelledError) throw error;
    if (error instanceof DeviceError) engine.device.check();
    return error;
  }
}

async function compare(engine: Engine, test: Case, tensor: string, output: Output | undefined): Promise<Finding> {
  const { config, dtype } = engine.model;
  const { shape, data } = await test.read(tensor);
  if (!output) return failure(new InputError("the engine gives no such output"));
  const misfit = shapeFinding(output.shape, shape);
  if (misfit) return misfit;
  if (output.edges) return judgeTokens(output.data, data, output.edges);
  if (output.margins) return judgeGreedy(output.data, data, output.margins, dtype);
  if (data instanceof Int32Array) return judgeExact(output.data, data);
  const rule = ruleFor(test.stage, tensor, dtype, data.length / config.sampleRate);
  const out = Float32Array.from(output.data);
  return judgeFloats(out, data, rule, () => pearson(logMel(out, config), logMel(data, config)));
}

function failure(error: CosyVoiceError): Finding {
  return { rel: null, max_abs: null, limit: null, verdict: "fail", reason: error.message };
}
