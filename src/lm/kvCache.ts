/**
 * Keys and values of every layer. The cache grows by another segment, twice as long as all before it are together at most, and
 * copies nothing; only the bind groups that name it are made anew.
 */
import { SEGMENTS } from "../../kernels/cacheFragments.js";
import type { LmConfig } from "../config.js";
import { InputError, InternalError } from "../errors.js";
import type { Device } from "../gpu/device.js";
import type { ResidentTensor } from "../gpu/tensor.js";
import type { LayerCache } from "../ops/cachedAttention.js";

/**
 * Lengths of the four segments that hold `positions` together: n, n, 2n, 4n with n the smallest power of two times `smallest`
 * that suffices.
 */
export function segmentLengths(positions: number, smallest: number): readonly number[] {
  let first = smallest;
  while (first * 2 ** (SEGMENTS - 1) < positions) first *= 2;
  return Array.from({ length: SEGMENTS }, (_, s) => (s === 0 ? first : first * 2 ** (s - 1)));
}

export class KvCache {
  /** By segment, then by layer. */
  private readonly segments: ResidentTensor[][] = [];
  /** Stand-ins for segments not in use: WebGPU wants a buffer of its own behind every binding. */
  private readonly empty: ResidentTensor[];
  private readonly lengths: readonly number[];

  /** @param positions the most that will ever be asked for */
  constructor(
    private readonly device: Device,
    private readonly config: LmConfig,
    positions: number,
    smallest: number,
  ) {
    this.lengths = segmentLengths(positions, smallest);
    const bytes = 4 * this.floatsPerPosition * Math.max(...this.lengths);
    if (bytes > device.capabilities.maxBinding) {
      throw new InputError(
        `a sequence of ${positions} positions needs ${bytes} bytes of cache in one binding, ${device.capabilities.adapter.name} allows ${device.capabilities.maxBinding}; use shorter text or prompt`,
      );
    }
    this.empty = this.lengths.map((_, s) => device.tensor(`empty segment ${s}`, [4]));
  }

  /** Positions held now. */
  get capacity(): number {
    return this.lengths.slice(0, this.segments.length).reduce((sum, length) => sum + length, 0);
  }

  /** Keys and values of one layer, columns padded to a multiple of 4. */
  private get floatsPerPosition(): number {
    return 2 * this.config.kvHeads * 4 * Math.ceil(this.config.headDim / 4);
  }

  /** Adds segments until `positions` fit; true when it did. */
  grow(positions: number): boolean {
    const before = this.segments.length;
    while (this.capacity < positions) {
      const s = this.segments.length;
      const length = this.lengths[s];
      if (length === undefined)
        throw new InternalError(`the cache was made for ${this.capacity} positions, not ${positions}`);
      const layers: ResidentTensor[] = [];
      this.segments.push(layers);
      for (let layer = 0; layer < this.config.layers; layer++) {
        layers.push(this.device.tensor(`layer ${layer} cache ${s}`, [length, this.floatsPerPosition]));
      }
    }
    return this.segments.length > before;
  }

  layer(index: number): LayerCache {
    const segments = this.empty.map((empty, s) => this.segments[s]?.[index] ?? empty);
    const lengths = this.lengths.map((length, s) => (s < this.segments.length ? length : 0));
    return { segments, lengths } as unknown as LayerCache;
  }

  destroy(): void {
    this.device.release(...[...this.empty, ...this.segments.flat()].map(({ buffer }) => buffer));
  }
}
