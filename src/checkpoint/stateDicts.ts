/**
 * Official state dicts (`llm.pt`, `flow.pt`, `hift.pt`) under the engine's names: the same names, less what inference never
 * uses, with weight norm folded.
 */
import { FileError } from "../errors.js";
import { foldedWeightNorm, type LazyTensor } from "./tensor.js";

type Tensors = ReadonlyMap<string, LazyTensor>;

/** The tied head of the text model is computed by the official code and never used; the rotary table is recomputed. */
export function lmTensors(state: Tensors): Tensors {
  return without(state, /^llm\.model\.lm_head\.|\.rotary_emb\.inv_freq$/);
}

export function flowTensors(state: Tensors): Tensors {
  return state;
}

/** A checkpoint of GAN training has discriminators beside the vocoder. */
export function vocoderTensors(state: Tensors): Tensors {
  return foldWeightNorms(without(state, /^discriminator\./));
}

function without(state: Tensors, dropped: RegExp): Tensors {
  return new Map([...state].filter(([name]) => !dropped.test(name)));
}

/** Both spellings of PyTorch: `X.weight_g`, `X.weight_v`, and `X.parametrizations.weight.original0` (g), `.original1` (v). */
function foldWeightNorms(state: Tensors): Tensors {
  const folded = new Map<string, LazyTensor>();
  for (const [name, tensor] of state) {
    const match = /^(.+)\.(?:(weight_)([gv])|(parametrizations\.weight\.original)([01]))$/.exec(name);
    if (!match) {
      folded.set(name, tensor);
      continue;
    }
    const [, prefix = "", legacy, , current, part] = match;
    if (match[3] === "g" || part === "0") continue; // taken together with v
    const gain = state.get(`${prefix}.${legacy ? `${legacy}g` : `${current}0`}`);
    if (!gain) throw new FileError(`${tensor.label}: the gain of its weight norm is missing`);
    folded.set(`${prefix}.weight`, foldedWeightNorm(tensor.label, gain, tensor));
  }
  return folded;
}
