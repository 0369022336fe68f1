/** The speaker encoder CAM++ in double precision, as plain loops over maps [channels][bins][frames] and rows [channels][frames]. */
import type { SpeakerConfig } from "../../src/config.js";

type Rows = Float64Array[];
type Maps = Rows[];
type Read = (name: string) => Float32Array;

const SEGMENT = 100;
const relu = (rows: Rows): Rows => rows.map((row) => row.map((v) => Math.max(v, 0)));
const reluMaps = (maps: Maps): Maps => maps.map(relu);

/** A kernel [out, in, height, 2 · reach + 1], padded to the same frames, with `stride` over the bins. */
function conv2d(x: Maps, read: Read, name: string, { stride = 1, size = 3 } = {}): Maps {
  const weight = read(`${name}.weight`);
  const reach = (size - 1) / 2;
  const bins = x[0]?.length ?? 0;
  return [...read(`${name}.bias`)].map((bias, o) =>
    Array.from({ length: Math.ceil(bins / stride) }, (_, h) =>
      Float64Array.from({ length: x[0]?.[0]?.length ?? 0 }, (_, t) => {
        let sum = bias;
        for (let i = 0; i < x.length; i++) {
          for (let a = 0; a < size; a++) {
            for (let b = 0; b < size; b++) {
              const v = x[i]?.[h * stride + a - reach]?.[t + b - reach] ?? 0;
              sum += v * (weight[((o * x.length + i) * size + a) * size + b] as number);
            }
          }
        }
        return sum;
      }),
    ),
  );
}

interface Conv1d {
  readonly bias?: Float32Array;
  readonly stride?: number;
  readonly dilation?: number;
  readonly taps?: number;
}

/** A kernel [out, in, taps], padded to the same frames. */
function conv1d(x: Rows, weight: Float32Array, { bias, stride = 1, dilation = 1, taps = 1 }: Conv1d = {}): Rows {
  const reach = (dilation * (taps - 1)) / 2;
  return Array.from({ length: weight.length / x.length / taps }, (_, o) =>
    Float64Array.from({ length: Math.ceil((x[0]?.length ?? 0) / stride) }, (_, t) => {
      let sum = bias?.[o] ?? 0;
      for (let i = 0; i < x.length; i++) {
        for (let k = 0; k < taps; k++) {
          sum += (x[i]?.[t * stride + k * dilation - reach] ?? 0) * (weight[(o * x.length + i) * taps + k] as number);
        }
      }
      return sum;
    }),
  );
}

function normed(x: Rows, read: Read, name: string): Rows {
  const [gain, offset] = [read(`${name}.weight`), read(`${name}.bias`)];
  const [mean, variance] = [read(`${name}.running_mean`), read(`${name}.running_var`)];
  return x.map((row, c) =>
    row.map(
      (v) =>
        ((v - (mean[c] as number)) / Math.sqrt((variance[c] as number) + 1e-5)) * (gain[c] as number) +
        (offset[c] as number),
    ),
  );
}

const meanOf = (row: Float64Array): number => row.reduce((sum, v) => sum + v, 0) / row.length;

function residualBlock(x: Maps, read: Read, name: string, stride: number): Maps {
  const y = conv2d(reluMaps(conv2d(x, read, `${name}.conv1`, { stride })), read, `${name}.conv2`);
  const shortcut = stride === 1 ? x : conv2d(x, read, `${name}.shortcut.0`, { stride, size: 1 });
  return reluMaps(y.map((map, c) => map.map((row, h) => row.map((v, t) => v + (shortcut[c]?.[h]?.[t] as number)))));
}

function denseLayer(x: Rows, read: Read, name: string, dilation: number): Rows {
  const affine = (input: Rows, part: string): Rows =>
    conv1d(input, read(`${name}.${part}.weight`), { bias: read(`${name}.${part}.bias`) });
  const z = relu(affine(relu(normed(x, read, `${name}.nonlinear1.batchnorm`)), "linear1"));
  const local = conv1d(z, read(`${name}.cam_layer.linear_local.weight`), { dilation, taps: 3 });
  const context = z.map((row) =>
    row.map((_, t) => {
      const first = Math.floor(t / SEGMENT) * SEGMENT;
      return meanOf(row) + meanOf(row.subarray(first, first + SEGMENT));
    }),
  );
  const mask = affine(relu(affine(context, "cam_layer.linear1")), "cam_layer.linear2");
  return [...x, ...local.map((row, g) => row.map((v, t) => v / (1 + Math.exp(-(mask[g]?.[t] as number)))))];
}

/** fbank [T, melBins] -> [embedding] */
export function speaker(fbank: Float32Array, config: SpeakerConfig, read: Read): Float64Array {
  const { melBins, blocks, dilations } = config;
  const bins: Rows = Array.from({ length: melBins }, (_, h) =>
    Float64Array.from({ length: fbank.length / melBins }, (_, t) => fbank[t * melBins + h] as number),
  );
  let maps = reluMaps(conv2d([bins], read, "head.conv1"));
  for (const layer of ["head.layer1", "head.layer2"]) {
    maps = residualBlock(residualBlock(maps, read, `${layer}.0`, 2), read, `${layer}.1`, 1);
  }
  maps = reluMaps(conv2d(maps, read, "head.conv2", { stride: 2 }));
  const tdnn = { bias: read("xvector.tdnn.linear.bias"), stride: 2, taps: 5 };
  let x = relu(conv1d(maps.flat(), read("xvector.tdnn.linear.weight"), tdnn));
  for (const [b, layers] of blocks.entries()) {
    for (let i = 1; i <= layers; i++) {
      x = denseLayer(x, read, `xvector.block${b + 1}.tdnnd${i}`, dilations[b] as number);
    }
    const transit = `xvector.transit${b + 1}`;
    const last = b === blocks.length - 1;
    x = conv1d(
      relu(normed(x, read, `${transit}.nonlinear.batchnorm`)),
      read(`${transit}.linear.weight`),
      last ? { bias: read(`${transit}.linear.bias`) } : {},
    );
  }
  const means = relu(x).map(meanOf);
  const deviations = relu(x).map((row, c) =>
    Math.sqrt(row.reduce((sum, v) => sum + (v - (means[c] as number)) ** 2, 0) / (row.length - 1)),
  );
  const stats: Rows = [...means, ...deviations].map((v) => Float64Array.of(v));
  const norm = "xvector.dense.nonlinear.batchnorm";
  const [mean, variance] = [read(`${norm}.running_mean`), read(`${norm}.running_var`)];
  return Float64Array.from(conv1d(stats, read("xvector.dense.linear.weight")), ([v = 0], c) => {
    return (v - (mean[c] as number)) / Math.sqrt((variance[c] as number) + 1e-5);
  });
}
