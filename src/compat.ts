/**
 * Where the official release does what a user would not expect. We do otherwise, unless `compat: "official"` asks for its ways.
 *
 * | what                            | we                                                | the official release               |
 * | ------------------------------- | ------------------------------------------------- | ---------------------------------- |
 * | an instruction without an end   | the end-of-prompt mark is appended                | it is left so, and read aloud      |
 * | an instruction to a kept voice  | is heard                                          | the kept transcript is read aloud  |
 * | transcript of a kept voice      | normalised, as that of a recording                | as it was written                  |
 * | target of a conversion          | its tokens and mel are cut to the same length     | as long as they came               |
 * | silence around a recording      | cut off, and a short one appended                 | left                               |
 * | a tag as [quick_breath]         | reaches the model as one id, even beside numbers  | may be read: "quick underscore …"  |
 * | before the least length         | no stop id is drawn                               | all but the first may be           |
 * | a text                          | is read sentence by sentence, by rules of our own | is read whole by its grammars:     |
 * |                                 | around the grammars, and cut where it is too long | "No." is "number", 2 m two minutes |
 * | the end of streamed text        | every row is fed once, and all the prompt's       | one twice, some of the prompt not  |
 *
 * (`CosyVoiceFrontEnd.frontend_instruct2`, `add_zero_shot_spk`, `frontend_vc` and `Qwen2LM.inference_wrapper` upstream.)
 */

/** Whose ways are followed where they differ. */
export type Compat = "official";

const WAYS = [
  "instructionMarked",
  "instructionHeard",
  "keptTranscriptNormalized",
  "conversionPromptCut",
  "recordingTrimmed",
  "tagsKept",
  "textRead",
  "everyStopMasked",
  "streamedTextWhole",
] as const;

/** A row of the table each: true is our way. */
export type Ways = Readonly<Record<(typeof WAYS)[number], boolean>>;

const every = (ours: boolean) => Object.fromEntries(WAYS.map((way) => [way, ours])) as Ways;

const OURS = every(true);
const OFFICIAL = every(false);

export function waysOf(compat: Compat | undefined): Ways {
  return compat === "official" ? OFFICIAL : OURS;
}
