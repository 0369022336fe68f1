/**
 * Weights on the GPU: reads a component's tensors slice by slice and lays them out as the kernels want them.
 *
 * Matrices become rows padded with zeros to a multiple of 4 columns; convolutions [out, in, k] become [out, k, in] with `in` padded
 * likewise; tables longer than a binding are cut into pieces. Vectors stay f32.
 */
import type { WeightDtype, WeightSource } from "../checkpoint/model.js";
import { FileError } from "../errors.js";
import type { Device } from "../gpu/device.js";
import { bytesPerElement, elements, type ResidentTensor } from "../gpu/tensor.js";

/** A linear layer's matrix [cols, inner], stored as [cols, ceil(inner/4), 4]. */
export interface Matrix {
  readonly tensor: ResidentTensor;
  readonly cols: number;
  readonly inner: number;
}

/** A convolution's kernel [out, in, taps], stored as [out, taps, ceil(in/4), 4]: a matrix over (tap, channel). */
export interface ConvWeight {
  readonly tensor: ResidentTensor;
  readonly out: number;
  readonly in: number;
  readonly taps: number;
}

/**
 * A two-dimensional convolution's kernel [out, in, bins, taps] as one over frames: its channels are those of `bins` neighbouring bins,
 * channel k · in + i that of bin k.
 */
export interface Conv2dWeight {
  readonly conv: ConvWeight;
  readonly bins: number;
}

/** An embedding table [rows, width], stored as [rows, ceil(width/4), 4], in as many pieces as the device's largest binding asks for. */
export interface Table {
  readonly pieces: readonly { readonly tensor: ResidentTensor; readonly firstRow: number; readonly rows: number }[];
  readonly rows: number;
  readonly width: number;
}

/** Values converted at a time: bounds host memory. */
const SLICE = 1 << 22;

export class Weights {
  private readonly owned: ResidentTensor[] = [];

  constructor(
    private readonly device: Device,
    private readonly source: WeightSource,
    private readonly dtype: WeightDtype,
  ) {}

  /** A vector, or several one after the other: f32 [n]. A tensor of any shape is flattened. */
  async vector(...names: readonly string[]): Promise<ResidentTensor> {
    const parts = await Promise.all(names.map((name) => this.source.read(name)));
    const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      data.set(part, at);
      at += part.length;
    }
    return this.own(this.device.upload(names.join("+"), [data.length], data));
  }

  /** The values of a tensor on the host, for what is computed once at load. */
  values(name: string): Promise<Float32Array> {
    return this.source.read(name);
  }

  /** Uploads values computed at load, freed with the rest. */
  constant(label: string, shape: readonly number[], data: Float32Array): ResidentTensor {
    return this.own(this.device.upload(label, shape, data));
  }

  /** A matrix, or several of the same inner width stacked along the output (q, k, v in one). Trailing dimensions of 1 are dropped. */
  async matrix(...names: readonly string[]): Promise<Matrix> {
    const shapes = names.map((name) => this.shapeOf(name, 2));
    const inner = shapes[0]?.[1] ?? 0;
    const cols = shapes.reduce((sum, [rows = 0]) => sum + rows, 0);
    const tensor = this.own(this.device.tensor(names.join("+"), [cols, Math.ceil(inner / 4), 4], this.dtype));
    let firstRow = 0;
    for (const [index, name] of names.entries()) {
      const [rows = 0, width = 0] = shapes[index] ?? [];
      if (width !== inner)
        throw new FileError(`${name}: [${rows}, ${width}] cannot be stacked on ${names[0]} of width ${inner}`);
      await this.copyRows(name, { rows, width, tensor, fromRow: 0, toRow: firstRow });
      firstRow += rows;
    }
    return { tensor, cols, inner };
  }

  /** A convolution kernel in the layout of the implicit GEMM. `transposed` says that the file holds [in, out, taps]. */
  async conv(name: string, { transposed = false } = {}): Promise<ConvWeight> {
    const [first = 0, second = 0, taps = 0] = this.shapeOf(name, 3);
    const [out, channels] = transposed ? [second, first] : [first, second];
    return this.convolution(name, { out, in: channels, taps }, (o, i) => (transposed ? i * out + o : o * channels + i));
  }

  /**
   * The kernel [out, in, bins, taps] of a two-dimensional convolution; or, where `bins` is given, [out, in · bins, taps] with the bins
   * of a channel side by side.
   */
  async conv2d(name: string, bins?: number): Promise<Conv2dWeight> {
    const shape = this.shapeOf(name, bins === undefined ? 4 : 3);
    const [out = 0, second = 0] = shape;
    const height = bins ?? shape[2] ?? 0;
    const [channels, taps] = [bins === undefined ? second : second / bins, shape.at(-1) ?? 0];
    const layout = { out, in: height * channels, taps };
    const conv = await this.convolution(name, layout, (o, i) => {
      return (o * channels + (i % channels)) * height + Math.floor(i / channels);
    });
    return { conv, bins: height };
  }

  /** A table of rows to gather from, in pieces that fit a binding. */
  async table(name: string): Promise<Table> {
    const [rows = 0, width = 0] = this.shapeOf(name, 2);
    const width4 = Math.ceil(width / 4);
    const perPiece = Math.floor(this.device.capabilities.maxBinding / (width4 * 4 * bytesPerElement(this.dtype)));
    const pieces: Table["pieces"][number][] = [];
    for (let firstRow = 0; firstRow < rows; firstRow += perPiece) {
      const count = Math.min(perPiece, rows - firstRow);
      const tensor = this.own(this.device.tensor(`${name}[${firstRow}..]`, [count, width4, 4], this.dtype));
      await this.copyRows(name, { rows: count, width, tensor, fromRow: firstRow, toRow: 0 });
      pieces.push({ tensor, firstRow, rows: count });
    }
    return { pieces, rows, width };
  }

  /** Frees everything this object put on the GPU. */
  destroy(): void {
    this.device.release(...this.owned.map(({ buffer }) => buffer));
  }

  /** Lays out a kernel as [out, taps, in]; its taps lie side by side in the file, for (o, i) as row `rowOf(o, i)`. */
  private async convolution(
    name: string,
    { out, in: channels, taps }: Omit<ConvWeight, "tensor">,
    rowOf: (o: number, i: number) => number,
  ): Promise<ConvWeight> {
    const count = out * channels * taps;
    const bytes = await this.source.readBytes(name, this.dtype, 0, count);
    const half = this.dtype === "f16";
    const at = [bytes.buffer, bytes.byteOffset, count] as const;
    const data = half ? new Uint16Array(...at) : new Float32Array(...at);
    const padded = Math.ceil(channels / 4) * 4;
    const laidOut = half ? new Uint16Array(out * taps * padded) : new Float32Array(out * taps * padded);
    for (let o = 0; o < out; o++) {
      for (let i = 0; i < channels; i++) {
        const from = rowOf(o, i) * taps;
        for (let k = 0; k < taps; k++) laidOut[(o * taps + k) * padded + i] = data[from + k] as number;
      }
    }
    const tensor = this.own(this.device.tensor(name, [out, taps, padded / 4, 4], this.dtype));
    this.device.write(tensor, laidOut);
    return { tensor, out, in: channels, taps };
  }

  private own(tensor: ResidentTensor): ResidentTensor {
    this.owned.push(tensor);
    return tensor;
  }

  /** Shape with trailing 1s dropped down to `rank` dimensions. */
  private shapeOf(name: string, rank: number): readonly number[] {
    const shape = [...this.source.info(name).shape];
    while (shape.length > rank && shape.at(-1) === 1) shape.pop();
    if (shape.length !== rank) {
      throw new FileError(`${name}: shape [${this.source.info(name).shape.join(", ")}], expected ${rank} dimensions`);
    }
    return shape;
  }

  /** Copies rows into a tensor of padded rows, a slice at a time, without a detour through f32 where no padding is needed. */
  private async copyRows(
    name: string,
    {
      rows,
      width,
      tensor,
      fromRow,
      toRow,
    }: { rows: number; width: number; tensor: ResidentTensor; fromRow: number; toRow: number },
  ): Promise<void> {
    const padded = elements(tensor.shape.slice(1));
    const size = bytesPerElement(this.dtype);
    // An even number of rows keeps every slice's byte offset a multiple of 4.
    const perSlice = Math.max(2, Math.floor(SLICE / width / 2) * 2);
    for (let row = 0; row < rows; row += perSlice) {
      const count = Math.min(perSlice, rows - row);
      const bytes = await this.source.readBytes(name, this.dtype, (fromRow + row) * width, count * width);
      let out = bytes;
      if (padded !== width) {
        out = new Uint8Array(count * padded * size);
        for (let r = 0; r < count; r++) {
          out.set(bytes.subarray(r * width * size, (r + 1) * width * size), r * padded * size);
        }
      }
      this.device.write(tensor, out, (toRow + row) * padded * size);
    }
  }
}
