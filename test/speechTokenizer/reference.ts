/** The speech tokenizer's network in double precision, as plain loops. */
import type { SpeechTokenizerConfig } from "../../src/config.js";
import { erf } from "../reference/activations.js";

type Rows = Float64Array[];
type Read = (name: string) => Float32Array;

const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));

/** Rows [T, in] through a matrix [out, in]. */
function linear(x: Rows, weight: Float32Array, bias?: Float32Array): Rows {
  return x.map((row) =>
    Float64Array.from({ length: weight.length / row.length }, (_, o) =>
      row.reduce((sum, v, i) => sum + v * (weight[o * row.length + i] as number), bias?.[o] ?? 0),
    ),
  );
}

/** Every second frame, from the first on: [T, in] through a kernel [out, in, 3], then GELU. */
function strided(x: Rows, weight: Float32Array, bias: Float32Array): Rows {
  const channels = x[0]?.length ?? 0;
  return Array.from({ length: Math.ceil(x.length / 2) }, (_, t) =>
    Float64Array.from(bias, (b, o) => {
      let sum = b;
      for (let k = 0; k < 3; k++) {
        const row = x[2 * t + k - 1];
        row?.forEach((v, i) => {
          sum += v * (weight[(o * channels + i) * 3 + k] as number);
        });
      }
      return gelu(sum);
    }),
  );
}

function layerNorm(x: Rows, weight: Float32Array, bias: Float32Array, eps: number): Rows {
  return x.map((row) => {
    const mean = row.reduce((sum, v) => sum + v, 0) / row.length;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / row.length;
    return row.map((v, c) => ((v - mean) / Math.sqrt(variance + eps)) * (weight[c] as number) + (bias[c] as number));
  });
}

function rotated(x: Rows, heads: number): Rows {
  return x.map((row, t) => {
    const width = row.length / heads;
    return row.map((v, c) => {
      const j = c % width;
      const angle = t * 10000 ** ((-2 * (j % (width / 2))) / width);
      const partner = j < width / 2 ? -(row[c + width / 2] as number) : (row[c - width / 2] as number);
      return v * Math.cos(angle) + partner * Math.sin(angle);
    });
  });
}

function attention(q: Rows, k: Rows, v: Rows, heads: number): Rows {
  return q.map((query) => {
    const width = query.length / heads;
    const out = new Float64Array(query.length);
    for (let h = 0; h < heads; h++) {
      const scores = k.map((key) => {
        let dot = 0;
        for (let d = h * width; d < (h + 1) * width; d++) dot += (query[d] as number) * (key[d] as number);
        return dot / Math.sqrt(width);
      });
      const top = Math.max(...scores);
      const weights = scores.map((s) => Math.exp(s - top));
      const total = weights.reduce((sum, w) => sum + w, 0);
      for (let d = h * width; d < (h + 1) * width; d++) {
        out[d] = weights.reduce((sum, w, j) => sum + w * (v[j]?.[d] as number), 0) / total;
      }
    }
    return out;
  });
}

/** v plus its depthwise convolution with a kernel [width, 1, taps]. */
function memory(v: Rows, kernel: Float32Array): Rows {
  const taps = kernel.length / (v[0]?.length ?? 1);
  return v.map((row, t) =>
    row.map((own, c) => {
      let sum = own;
      for (let k = 0; k < taps; k++) sum += (v[t + k - (taps - 1) / 2]?.[c] ?? 0) * (kernel[c * taps + k] as number);
      return sum;
    }),
  );
}

const add = (...terms: Rows[]): Rows =>
  (terms[0] as Rows).map((row, t) => row.map((_, c) => terms.reduce((sum, term) => sum + (term[t]?.[c] as number), 0)));

/** mel [F, melBins] -> the projected values [S, fsqDims] */
export function speechTokenizer(mel: Float32Array, config: SpeechTokenizerConfig, read: Read): Float64Array {
  const { melBins, heads } = config;
  const affine = (x: Rows, name: string): Rows => linear(x, read(`${name}.weight`), read(`${name}.bias`));
  const norm = (x: Rows, name: string, eps: number): Rows =>
    layerNorm(x, read(`${name}.weight`), read(`${name}.bias`), eps);
  const frames: Rows = Array.from({ length: mel.length / melBins }, (_, t) =>
    Float64Array.from(mel.subarray(t * melBins, (t + 1) * melBins)),
  );
  let x = strided(frames, read("encoder.conv1.weight"), read("encoder.conv1.bias"));
  x = strided(x, read("encoder.conv2.weight"), read("encoder.conv2.bias"));
  for (let i = 0; i < config.layers; i++) {
    const block = `encoder.blocks.${i}`;
    const y = norm(x, `${block}.attn_ln`, config.attnNormEps);
    const q = rotated(affine(y, `${block}.attn.query`), heads);
    const k = rotated(linear(y, read(`${block}.attn.key.weight`)), heads);
    const v = affine(y, `${block}.attn.value`);
    const attended = affine(attention(q, k, v, heads), `${block}.attn.out`);
    x = add(x, attended, memory(v, read(`${block}.attn.fsmn_block.weight`)));
    const hidden = affine(norm(x, `${block}.mlp_ln`, config.mlpNormEps), `${block}.mlp.0`).map((row) => row.map(gelu));
    x = add(x, affine(hidden, `${block}.mlp.2`));
  }
  return Float64Array.from(affine(x, "quantizer._codebook.project_down").flatMap((row) => [...row]));
}
