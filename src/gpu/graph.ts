/**
 * A graph is the list of dispatches that makes one computation, recorded without touching a GPU. Ops add steps; `plan` then decides
 * which temporaries may share memory. Both are pure, so they can be tested anywhere.
 */
import { InternalError } from "../errors.js";
import type { Capabilities } from "./capabilities.js";
import {
  type AnyKernel,
  type Bindings,
  type Constants,
  checkCall,
  type Kernel,
  type ParamTypes,
  type ParamValues,
  type Workgroups,
} from "./kernel.js";
import { byteLength, type DType, type Tensor } from "./tensor.js";

export interface DispatchStep {
  readonly kind: "dispatch";
  readonly kernel: AnyKernel;
  readonly constants: Constants;
  readonly params: Readonly<Record<string, number>>;
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly workgroups: Workgroups;
}

/** Copies whole rows between tensors; offsets and length in bytes, multiples of 4. */
export interface CopyStep {
  readonly kind: "copy";
  readonly from: Tensor;
  readonly fromOffset: number;
  readonly to: Tensor;
  readonly toOffset: number;
  readonly bytes: number;
}

export type Step = DispatchStep | CopyStep;

type TensorsOf<B extends Bindings> = { readonly [K in keyof B]: Tensor };

export class Graph {
  readonly steps: Step[] = [];
  readonly kept = new Set<Tensor>();
  private readonly uses = new Map<string, number>();

  /** `capabilities` is for `src/ops/`, which chooses kernels by it. */
  constructor(
    readonly label: string,
    readonly capabilities: Capabilities,
  ) {}

  /** A temporary. It has memory only between the first step that names it and the last. A label used twice gets a number. */
  temp(label: string, shape: readonly number[], dtype: DType = "f32"): Tensor {
    const uses = (this.uses.get(label) ?? 0) + 1;
    this.uses.set(label, uses);
    return { label: `${this.label}.${label}${uses > 1 ? `#${uses}` : ""}`, shape, dtype };
  }

  /** Adds one dispatch of a kernel, checked against its bindings table. Empty dispatches are dropped. */
  add<C extends Constants, B extends Bindings, P extends ParamTypes>(
    kernel: Kernel<C, B, P>,
    constants: NoInfer<C>,
    params: NoInfer<ParamValues<P>>,
    tensors: NoInfer<TensorsOf<B>>,
  ): void {
    checkCall(kernel, constants, params, tensors);
    const workgroups = kernel.workgroups(params, constants);
    if (workgroups.some((count) => count === 0)) return;
    this.steps.push({ kind: "dispatch", kernel, constants, params, tensors, workgroups });
  }

  /** Adds a copy of `bytes` bytes; both tensors must be different. */
  copy(from: Tensor, fromOffset: number, to: Tensor, toOffset: number, bytes: number): void {
    if (bytes === 0) return;
    if (fromOffset + bytes > byteLength(from) || toOffset + bytes > byteLength(to)) {
      throw new InternalError(
        `copy of ${bytes} bytes does not fit: ${from.label}+${fromOffset} to ${to.label}+${toOffset}`,
      );
    }
    this.steps.push({ kind: "copy", from, fromOffset, to, toOffset, bytes });
  }

  /** Keeps a temporary's memory to the end, so that it can be read after the run. Returns it. */
  keep(tensor: Tensor): Tensor {
    this.kept.add(tensor);
    return tensor;
  }
}

/** Where every temporary lives: slot number per memory identity, and the bytes of each slot. */
export interface Plan {
  readonly slotOf: ReadonlyMap<string, number>;
  readonly slotBytes: readonly number[];
}

/** Tensors of one step. */
export function tensorsOf(step: Step): Tensor[] {
  return step.kind === "copy" ? [step.from, step.to] : Object.values(step.tensors);
}

/**
 * Gives every temporary a slot of the arena. A slot is one buffer: two temporaries share it when one is dead before the other is
 * born. Slots are whole buffers, not ranges of one, because WebGPU tracks read and write use by buffer within a dispatch.
 *
 * A temporary's identity is its label: views made by `reshape` keep it, and so share memory.
 */
export function plan(graph: Graph): Plan {
  const lives = new Map<string, { first: number; last: number; bytes: number }>();
  graph.steps.forEach((step, index) => {
    for (const tensor of tensorsOf(step)) {
      if (tensor.buffer) continue;
      const life = lives.get(tensor.label);
      const bytes = byteLength(tensor);
      if (!life) lives.set(tensor.label, { first: index, last: index, bytes });
      else {
        if (life.bytes !== bytes) throw new InternalError(`two temporaries are both called ${tensor.label}`);
        life.last = index;
      }
    }
  });
  for (const tensor of graph.kept) {
    const life = lives.get(tensor.label);
    if (life) life.last = graph.steps.length;
  }

  const slotOf = new Map<string, number>();
  const slots: { bytes: number; freeFrom: number }[] = [];
  for (const [label, life] of [...lives].sort(([, a], [, b]) => a.first - b.first)) {
    const free = slots.filter((slot) => slot.freeFrom < life.first);
    // Best fit: the smallest that is large enough, else the largest, which then grows.
    const fitting = free.filter((slot) => slot.bytes >= life.bytes).sort((a, b) => a.bytes - b.bytes)[0];
    const slot = fitting ?? free.sort((a, b) => b.bytes - a.bytes)[0];
    if (slot) {
      slot.bytes = Math.max(slot.bytes, life.bytes);
      slot.freeFrom = life.last;
      slotOf.set(label, slots.indexOf(slot));
    } else {
      slotOf.set(label, slots.push({ bytes: life.bytes, freeFrom: life.last }) - 1);
    }
  }
  return { slotOf, slotBytes: slots.map((slot) => slot.bytes) };
}
