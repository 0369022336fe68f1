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
 * | the end of streamed text        | every row is fed once, and all the prompt's       | one twice, some of the prompt not  |
 *
 * (`CosyVoiceFrontEnd.frontend_instruct2`, `add_zero_shot_spk`, `frontend_vc` and `Qwen2LM.inference_wrapper` upstream.)
 */

/** Whose ways are followed where they differ. */
export type Compat = "official";

export interface Ways {
  readonly instructionMarked: boolean;
  readonly instructionHeard: boolean;
  readonly keptTranscriptNormalized: boolean;
  readonly conversionPromptCut: boolean;
  readonly recordingTrimmed: boolean;
  readonly tagsKept: boolean;
  readonly everyStopMasked: boolean;
  readonly streamedTextWhole: boolean;
}

const OURS: Ways = {
  instructionMarked: true,
  instructionHeard: true,
  keptTranscriptNormalized: true,
  conversionPromptCut: true,
  recordingTrimmed: true,
  tagsKept: true,
  everyStopMasked: true,
  streamedTextWhole: true,
};

const OFFICIAL: Ways = {
  instructionMarked: false,
  instructionHeard: false,
  keptTranscriptNormalized: false,
  conversionPromptCut: false,
  recordingTrimmed: false,
  tagsKept: false,
  everyStopMasked: false,
  streamedTextWhole: false,
};

export function waysOf(compat: Compat | undefined): Ways {
  return compat === "official" ? OFFICIAL : OURS;
}
