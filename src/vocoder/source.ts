/**
 * The harmonic source of the neural source filter (HiFTGenerator's SourceModuleHnNSF with SineGen2): f0 per frame becomes the
 * overtones' sines plus noise, mixed to one signal by a linear layer and tanh.
 *
 * This runs on the CPU in the very f32 steps of PyTorch. The phase is an integral of f0 that reaches 10⁵ rad within seconds, where one
 * f32 ulp is 0.008 rad: any other order of rounding drifts away from the reference, and WGSL promises nothing for sines of such
 * arguments. Ten seconds take about a tenth of one.
 */
import { samplesPerFrame, type VocoderConfig } from "../config.js";
import { InputError } from "../errors.js";

/** `m_source.l_linear`: weights of the sines, and the bias. */
export interface SourceMix {
  readonly weight: Float32Array; // [overtones + 1]
  readonly bias: number;
}

/** Accumulated phase of every sine at the middle of every frame, in rad as the reference rounds it: f32 [frames, sines]. */
export function framePhases(f0: Float32Array, sines: number, rate: number, perFrame: number): Float32Array {
  const phases = new Float32Array(f0.length * sines);
  const pi = Math.fround(Math.PI);
  for (let h = 0; h < sines; h++) {
    let turns = 0; // the running sum is kept in f64; each output of it is rounded
    for (let i = 0; i < f0.length; i++) {
      const frequency = Math.fround((f0[i] as number) * (h + 1));
      turns += Math.fround(Math.fround(frequency / rate) % 1);
      phases[i * sines + h] = Math.fround(Math.fround(Math.fround(turns) * 2) * pi) * perFrame;
    }
  }
  return phases;
}

/**
 * @param f0 Hz per frame [frames], 0 where unvoiced
 * @param noise unit Gaussian per sample and sine [frames · samplesPerFrame, overtones + 1], or null for none
 * @returns the source signal [frames · samplesPerFrame]
 */
export function harmonicSource(
  f0: Float32Array,
  noise: Float32Array | null,
  { weight, bias }: SourceMix,
  vocoder: VocoderConfig,
  rate: number,
): Float32Array {
  const sines = vocoder.overtones + 1;
  const perFrame = samplesPerFrame(vocoder);
  const frames = f0.length;
  if (noise && noise.length !== frames * perFrame * sines) {
    throw new InputError(
      `source noise has ${noise.length} values, ${frames} frames need ${frames * perFrame} × ${sines}; leave it out to turn it off`,
    );
  }
  const phases = framePhases(f0, sines, rate, perFrame);
  const scale = Math.fround(1 / perFrame);
  const out = new Float32Array(frames * perFrame);
  const { sineAmp, noiseStd, voicedThreshold } = vocoder;
  for (let n = 0; n < out.length; n++) {
    // Linear interpolation between the middles of two frames, each step rounded as torch's vectorised code does (it fuses two).
    const position = Math.max(Math.fround((n + 0.5) * scale - 0.5), 0);
    const before = Math.floor(position);
    const after = Math.min(before + 1, frames - 1);
    const toAfter = Math.fround(position - before);
    const toBefore = Math.fround(1 - toAfter);
    const voiced = (f0[Math.floor(n / perFrame)] as number) > voicedThreshold;
    const amplitude = voiced ? noiseStd : sineAmp / 3;
    let sum = bias;
    for (let h = 0; h < sines; h++) {
      let value = 0;
      if (voiced) {
        const late = Math.fround(toAfter * (phases[after * sines + h] as number));
        const phase = Math.fround(toBefore * (phases[before * sines + h] as number) + late);
        value = sineAmp * Math.sin(phase);
      }
      if (noise) value += amplitude * (noise[n * sines + h] as number);
      sum += value * (weight[h] as number);
    }
    out[n] = Math.tanh(sum);
  }
  return out;
}
