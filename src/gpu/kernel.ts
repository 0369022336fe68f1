/**
 * What a kernel is: a name, a table of bindings, a table of parameters, a dispatch size, its variants and its WGSL. The two tables
 * are the only place where bindings and parameters are declared; the WGSL declarations, the bind-group layout, the uniform's bytes
 * and the size checks all come from them.
 */
import { InternalError } from "../errors.js";
import { DEFAULT_LIMITS } from "./capabilities.js";
import { type DType, elements, type Tensor } from "./tensor.js";

/** How a binding is stored: f16x2 is f16 memory on a device without `shader-f16`, read as pairs in u32. */
export type Elem = "f32" | "f16" | "f16x2" | "u32" | "i32";

export interface Binding {
  readonly access: "read" | "read_write";
  readonly elem: Elem;
  /** Elements per WGSL array item: 1, 2 or 4. The innermost dimension must be a multiple of it. */
  readonly vec?: 1 | 2 | 4;
  /** Dimensions: names of params or constants, numbers, or sums and products of them such as "2*T" or "T+1". */
  readonly shape: readonly (string | number)[];
  /** The buffer may be longer than the shape says (caches, tables). */
  readonly atLeast?: boolean;
}

export type Bindings = Readonly<Record<string, Binding>>;
export type ParamTypes = Readonly<Record<string, "u32" | "i32" | "f32">>;
export type ParamValues<P extends ParamTypes> = { readonly [K in keyof P]: number };
export type Constants = Readonly<Record<string, string | number | boolean>>;
export type Workgroups = readonly [x: number, y: number, z: number];

export interface KernelDefinition<C extends Constants, B extends Bindings, P extends ParamTypes> {
  readonly name: string;
  readonly bindings: (constants: C) => B;
  readonly params: P;
  readonly workgroups: (params: ParamValues<P>, constants: C) => Workgroups;
  /** The constants that are really used; tests and bench run exactly these. */
  readonly variants: readonly C[];
  readonly wgsl: (constants: C) => string;
}

export type Kernel<
  C extends Constants = Constants,
  B extends Bindings = Bindings,
  P extends ParamTypes = ParamTypes,
> = KernelDefinition<C, B, P>;

/** A kernel whose constants, bindings and params are not known to the type system, as the recorder sees it. */
// biome-ignore lint/suspicious/noExplicitAny: the type parameters are contravariant; call sites are checked by `Graph.add`.
export type AnyKernel = KernelDefinition<any, any, any>;

export function defineKernel<const C extends Constants, B extends Bindings, const P extends ParamTypes>(
  definition: KernelDefinition<C, B, P>,
): Kernel<C, B, P> {
  return definition;
}

/** Folds a count of workgroups into two dimensions, since one holds at most 65,535. The shader uses `flatGroup`. */
export function fold(count: number): Workgroups {
  const widest = DEFAULT_LIMITS.maxComputeWorkgroupsPerDimension;
  return count <= widest ? [count, 1, 1] : [widest, Math.ceil(count / widest), 1];
}

/** WGSL: the number of this workgroup in a folded dispatch. */
export const flatGroup = `fn flatGroup(group: vec3u) -> u32 { return group.y * ${DEFAULT_LIMITS.maxComputeWorkgroupsPerDimension}u + group.x; }`;

/** The WGSL type of one array item of a binding. */
export function itemType({ elem, vec = 1 }: Binding): string {
  if (elem === "f16x2") {
    if (vec === 1) throw new InternalError("f16x2 is read in pairs or fours, never one by one");
    return vec === 4 ? "vec2<u32>" : "u32";
  }
  return vec === 1 ? elem : `vec${vec}<${elem}>`;
}

/** Renders `enable`, one `var<storage>` per binding, and the uniform. Must stand first in the WGSL, constants may follow. */
export function declarations(bindings: Bindings, params: ParamTypes): string {
  const rows = Object.entries(bindings);
  const lines = rows.some(([, b]) => b.elem === "f16") ? ["enable f16;"] : [];
  rows.forEach(([name, b], index) => {
    lines.push(
      `@group(0) @binding(${index}) var<storage, ${b.access}> ${name}: array<${itemType(b)}>; // [${b.shape.join(", ")}]`,
    );
  });
  const fields = Object.entries(params).map(([name, type]) => `  ${name}: ${type},`);
  if (fields.length > 0) {
    lines.push("struct Params {", ...fields, "}", `@group(0) @binding(${rows.length}) var<uniform> params: Params;`);
  }
  return lines.join("\n");
}

/** Packs params in table order: every field is 4 bytes, so there is no alignment trap; the size is rounded up to 16. */
export function packParams<P extends ParamTypes>(types: P, values: ParamValues<P>): ArrayBuffer {
  const names = Object.keys(types);
  const bytes = new DataView(new ArrayBuffer(Math.ceil(names.length / 4) * 16));
  names.forEach((name, index) => {
    const value = values[name];
    if (value === undefined || Number.isNaN(value)) throw new InternalError(`param ${name} is ${value}`);
    if (types[name] === "f32") bytes.setFloat32(index * 4, value, true);
    else if (types[name] === "i32") bytes.setInt32(index * 4, value, true);
    else bytes.setUint32(index * 4, value, true);
  });
  return bytes.buffer;
}

/** Value of a dimension such as "C", "2*T" or "T*K+1" (products bind tighter than sums). */
function dimension(expression: string | number, names: Readonly<Record<string, unknown>>): number {
  if (typeof expression === "number") return expression;
  return expression
    .split("+")
    .reduce((sum, term) => sum + term.split("*").reduce((product, factor) => product * factorOf(factor, names), 1), 0);
}

function factorOf(text: string, names: Readonly<Record<string, unknown>>): number {
  const name = text.trim();
  const value = /^\d+$/.test(name) ? Number(name) : names[name];
  if (typeof value !== "number") throw new InternalError(`dimension ${name} is neither a param nor a constant`);
  return value;
}

/** A name that tells one compiled variant from another: `matmul elem=f16 tile=64`. */
export function variantName(kernel: AnyKernel, constants: Constants): string {
  const parts = Object.entries(constants).map(([key, value]) => `${key}=${value}`);
  return [kernel.name, ...parts].join(" ");
}

const STORED_AS: Readonly<Record<Elem, DType>> = { f32: "f32", f16: "f16", f16x2: "f16", u32: "u32", i32: "i32" };

/** Checks every tensor of a call against the bindings table; the error names kernel, binding, rule and what came. */
export function checkCall(
  kernel: AnyKernel,
  constants: Constants,
  params: Readonly<Record<string, number>>,
  tensors: Readonly<Record<string, Tensor>>,
): void {
  const bindings: Bindings = kernel.bindings(constants);
  const names = { ...constants, ...params };
  for (const [name, binding] of Object.entries(bindings)) {
    const tensor = tensors[name];
    if (!tensor) throw new InternalError(`${kernel.name}: no tensor for binding ${name}`);
    if (tensor.dtype !== STORED_AS[binding.elem]) {
      throw new InternalError(`${kernel.name}: ${name} wants ${binding.elem}, got ${tensor.label} of ${tensor.dtype}`);
    }
    const sizes = binding.shape.map((d) => dimension(d, names));
    const want = elements(sizes);
    const got = elements(tensor.shape);
    if (binding.atLeast ? got < want : got !== want) {
      const rule = binding.shape.map((d, i) => (typeof d === "number" ? d : `${d}=${sizes[i]}`)).join(", ");
      throw new InternalError(
        `${kernel.name}: ${name} is [${rule}]${binding.atLeast ? " or more" : ""}, got ${tensor.label} [${tensor.shape.join(", ")}]`,
      );
    }
    const innermost = tensor.shape.at(-1) ?? 1;
    if (innermost % (binding.vec ?? 1) !== 0) {
      throw new InternalError(
        `${kernel.name}: ${name} is read by ${binding.vec}s, got ${tensor.label} of ${innermost} columns`,
      );
    }
  }
}
