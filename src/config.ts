/**
 * Every size, rate and constant of one model, as `config.json` of a model folder holds it. Nothing about a model's size stands
 * anywhere else in the code. Derived numbers are functions at the end, beside their formula.
 */

/** Qwen2 backbone and speech head (spec: Qwen2LM, `llm.pt` and `CosyVoice-BlankEN/config.json`). */
export interface LmConfig {
  readonly layers: number;
  /** Hidden width of the backbone. */
  readonly width: number;
  /** Query heads, each `headDim` wide. */
  readonly heads: number;
  /** Key/value heads; `heads / kvHeads` query heads share one. */
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of the SwiGLU feed-forward. */
  readonly ffn: number;
  /** Rows of the text embedding. */
  readonly textRows: number;
  /** Number of speech codes (6561 in the release); ids speechCodes .. +2 are eos, unused, fill. */
  readonly speechCodes: number;
  /** Rows of the speech embedding and of the head: speechCodes + 3. */
  readonly speechRows: number;
  readonly ropeTheta: number;
  readonly normEps: number;
  readonly maxPositions: number;
  readonly sampling: SamplingConfig;
  /** Text and speech ids per block of the interleaved (streamed text) order. */
  readonly mixRatio: readonly [text: number, speech: number];
  /** Speech tokens per target text id: least and most. */
  readonly minRatio: number;
  readonly maxRatio: number;
}

/** Repetition-aware sampling. */
export interface SamplingConfig {
  readonly topP: number;
  readonly topK: number;
  readonly window: number;
  readonly tauR: number;
}

/** Token encoder, OT-CFM solver and U-Net estimator (`flow.pt`). */
export interface FlowConfig {
  /** Rows of the token embedding. */
  readonly codes: number;
  /** Width of the token embedding (`input_size`). */
  readonly inputWidth: number;
  /** Width of the conformer (`encoder.output_size`). */
  readonly width: number;
  readonly heads: number;
  readonly ffn: number;
  /** Conformer blocks at token rate, and after the up-sampling. */
  readonly blocks: number;
  readonly upBlocks: number;
  /** Tokens of look-ahead a non-final call holds back. */
  readonly lookahead: number;
  /** Attention chunk in tokens when streaming; frames use `chunk * tokenMelRatio`. */
  readonly chunk: number;
  readonly speakerWidth: number;
  readonly melBins: number;
  readonly solver: SolverConfig;
  readonly estimator: EstimatorConfig;
}

export interface SolverConfig {
  readonly steps: number;
  /** Weight of classifier-free guidance: v = (1 + r)·v_cond − r·v_uncond. */
  readonly guidance: number;
  /** Frames of the fixed noise table; longer sequences are refused. */
  readonly noiseFrames: number;
}

export interface EstimatorConfig {
  /** Channels of x, mu, speaker and condition together. */
  readonly inChannels: number;
  readonly channels: number;
  readonly heads: number;
  readonly headDim: number;
  /** Transformer blocks after each resnet. */
  readonly blocks: number;
  readonly midBlocks: number;
  /** Width of the transformer feed-forward (`channels * 4` upstream). */
  readonly ffn: number;
  /** Sinusoids of the time embedding (= inChannels) and width of its MLP (= channels * 4). */
  readonly timeSinusoids: number;
  readonly timeWidth: number;
  /** Attention chunk in mel frames when streaming. */
  readonly chunk: number;
}

/** HiFT vocoder (`hift.pt`). */
export interface VocoderConfig {
  readonly melBins: number;
  /** Channels after conv_pre; halved by every up-sampling stage. */
  readonly base: number;
  /** Overtones; harmonics + 1 sines. */
  readonly overtones: number;
  readonly sineAmp: number;
  readonly noiseStd: number;
  /** Hz above which a frame is voiced. */
  readonly voicedThreshold: number;
  readonly upRates: readonly number[];
  readonly upKernels: readonly number[];
  readonly nFft: number;
  readonly hop: number;
  readonly resKernels: readonly number[];
  readonly resDilations: readonly (readonly number[])[];
  readonly sourceResKernels: readonly number[];
  readonly sourceResDilations: readonly (readonly number[])[];
  readonly leakySlope: number;
  readonly audioLimit: number;
  readonly f0Width: number;
  /** Convolutions of the f0 predictor. */
  readonly f0Layers: number;
}

/** FSQ speech tokenizer v2 (`speech_tokenizer_v2.onnx`). */
export interface SpeechTokenizerConfig {
  readonly melBins: number;
  readonly width: number;
  readonly heads: number;
  readonly ffn: number;
  readonly layers: number;
  readonly fsqDims: number;
  readonly fsmnKernel: number;
  readonly attnNormEps: number;
  readonly mlpNormEps: number;
}

/** CAM++ speaker encoder (`campplus.onnx`). */
export interface SpeakerConfig {
  readonly melBins: number;
  readonly headChannels: number;
  readonly tdnnChannels: number;
  /** D-TDNN layers of each block. */
  readonly blocks: readonly number[];
  readonly dilations: readonly number[];
  readonly growth: number;
  readonly bottleneck: number;
  readonly embedding: number;
}

/** The mel front end of the flow's prompt. */
export interface MelConfig {
  readonly nFft: number;
  readonly hop: number;
  readonly win: number;
  readonly bins: number;
  readonly fMin: number;
  /** null: half the sample rate. */
  readonly fMax: number | null;
}

/** Ways of speaking: what each makes of a voice stands in `voice.ts`. */
export const MODES = ["sft", "zero-shot", "cross-lingual", "instruct"] as const;
export type Mode = (typeof MODES)[number];

/** What a model of little training can say. */
export interface SpeaksConfig {
  /** All characters of the texts that it learned from, as they are spoken: numbers in words. Others are folded to these or left out. */
  readonly characters: string;
  /** BCP 47. */
  readonly languages: readonly string[];
  /** Ways of speaking that it learned: without "instruct" it would read an instruction aloud. */
  readonly modes: readonly Mode[];
}

export interface Config {
  readonly format: "cosyvoice-webgpu-1";
  readonly generation: "cosyvoice2";
  readonly sampleRate: number;
  /** Speech tokens per second. */
  readonly tokenRate: number;
  /** Mel frames per speech token. */
  readonly tokenMelRatio: number;
  /** Length of text that the model speaks in one piece, in text ids or Chinese characters (`splitParagraph`); else upstream's 80. */
  readonly segmentLength?: number;
  /** Longest text that it speaks well in one piece, in the same units: longer sentences are cut; else upstream's 80. */
  readonly segmentLimit?: number;
  /** What it was trained to say; absent: everything. */
  readonly speaks?: SpeaksConfig;
  readonly lm?: LmConfig;
  readonly flow?: FlowConfig;
  readonly vocoder?: VocoderConfig;
  readonly speechTokenizer?: SpeechTokenizerConfig;
  readonly speaker?: SpeakerConfig;
  readonly mel: MelConfig;
}

/** The parts of a model, each one file in a model folder. */
export const COMPONENTS = ["lm", "flow", "vocoder", "speechTokenizer", "speaker"] as const;
export type Component = (typeof COMPONENTS)[number];

/** Audio samples one mel frame stands for: the product of all vocoder up-sampling rates and the iSTFT hop. */
export function samplesPerFrame(vocoder: VocoderConfig): number {
  return vocoder.upRates.reduce((product, rate) => product * rate, vocoder.hop);
}

/** Ids that end generation: eos, the reserved one, fill. */
export function stopIds(lm: LmConfig): readonly [eos: number, reserved: number, fill: number] {
  return [lm.speechCodes, lm.speechCodes + 1, lm.speechCodes + 2];
}
