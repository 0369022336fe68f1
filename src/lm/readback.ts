/**
 * Brings tokens back to the host without ever making the GPU wait: each submit copies its tokens and the sampler's state into one
 * of a few staging buffers, which the host reads when it is ready while later submits already run.
 */
import { DeviceError } from "../errors.js";
import type { Device } from "../gpu/device.js";
import type { ResidentTensor } from "../gpu/tensor.js";

export interface Report {
  /** Number of tokens out in all, and the value of `done` (see `kernels/draw.ts`). */
  readonly step: number;
  readonly done: number;
  /** Tokens of the range that was copied; those past `step` are not valid. */
  readonly tokens: Int32Array;
}

interface Slot {
  readonly buffer: GPUBuffer;
  count: number;
}

const STATE_BYTES = 16;

export class Readback {
  private readonly free: Slot[] = [];
  private readonly pending: { slot: Slot; ready: Promise<unknown> }[] = [];

  /** @param slots submits that may be on their way at once; @param most tokens of one submit */
  constructor(
    private readonly device: Device,
    private readonly state: ResidentTensor,
    private readonly tokens: ResidentTensor,
    slots: number,
    most: number,
  ) {
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    for (let i = 0; i < slots; i++) {
      this.free.push({ buffer: device.createBuffer(`tokens read-back ${i}`, STATE_BYTES + 4 * most, usage), count: 0 });
    }
  }

  get full(): boolean {
    return this.free.length === 0;
  }

  /** Ends the encoder with the copies, submits it, and starts waiting for the result. */
  submit(encoder: GPUCommandEncoder, first: number, count: number): void {
    const slot = this.free.pop();
    if (!slot) throw new DeviceError("tokens read-back: every staging buffer is in use");
    slot.count = count;
    encoder.copyBufferToBuffer(this.state.buffer, 0, slot.buffer, 0, STATE_BYTES);
    encoder.copyBufferToBuffer(this.tokens.buffer, 4 * first, slot.buffer, STATE_BYTES, 4 * count);
    this.device.gpu.queue.submit([encoder.finish()]);
    const ready = slot.buffer.mapAsync(GPUMapMode.READ);
    // A buffer destroyed while it waits rejects; whoever awaits `next` still sees it.
    ready.catch(() => undefined);
    this.pending.push({ slot, ready });
  }

  /** The oldest submit's report. */
  async next(): Promise<Report> {
    const oldest = this.pending[0];
    if (!oldest) throw new DeviceError("tokens read-back: nothing is on its way");
    await oldest.ready.catch((error: unknown) => {
      this.device.check();
      throw new DeviceError(`tokens read-back: ${String(error)}`);
    });
    this.device.check();
    this.pending.shift();
    const { slot } = oldest;
    const words = new Int32Array(slot.buffer.getMappedRange().slice(0, STATE_BYTES + 4 * slot.count));
    slot.buffer.unmap();
    this.free.push(slot);
    return { step: words[2] as number, done: words[3] as number, tokens: words.subarray(4) };
  }

  destroy(): void {
    this.device.release(...this.free.map(({ buffer }) => buffer), ...this.pending.map(({ slot }) => slot.buffer));
  }
}
