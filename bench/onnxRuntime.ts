/**
 * onnxruntime-node as a peer. It is no dependency: its package is 290 MB and fetches more when it is installed, so the bench takes it
 * where somebody has put it (README.md says how) and otherwise says that it is not there.
 */
import { join } from "node:path";

/** What the bench needs of the package, whose own types come with it. */
interface OnnxRuntime {
  readonly env: { readonly versions: { readonly node?: string } };
  readonly listSupportedBackends?: () => readonly { readonly name: string; readonly bundled: boolean }[];
  readonly Tensor: new (type: string, data: Float32Array | Int32Array, dims: readonly number[]) => OnnxTensor;
  readonly InferenceSession: {
    create(path: string, options: { executionProviders: string[]; logSeverityLevel: number }): Promise<Session>;
  };
}

interface OnnxTensor {
  readonly data: ArrayLike<number | bigint>;
}

interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OnnxTensor>): Promise<Record<string, OnnxTensor>>;
  release(): Promise<void>;
}

/** One input of a graph, in the order that the graph has them. */
export interface GraphInput {
  readonly type: "float32" | "int32";
  readonly data: Float32Array | Int32Array;
  readonly dims: readonly number[];
}

/** One network that runs the same input again and again. */
export interface Contender {
  readonly name: string;
  run(): Promise<ArrayLike<number>>;
  destroy(): void | Promise<void>;
}

export interface Peers {
  /** Of the package; undefined where it is not installed. */
  readonly version: string | undefined;
  readonly providers: readonly string[];
  /** Why a provider is not among them. */
  readonly missing: readonly string[];
  /** @throws Error when the provider cannot run the graph of this file */
  open(file: string, provider: string, inputs: readonly GraphInput[]): Promise<Contender>;
}

const PACKAGE: string = "onnxruntime-node";
const PROVIDERS = ["cpu", "webgpu"] as const;
const ERRORS_ONLY = 3;

/** @param folder of the ONNX files */
export async function findPeers(folder: string): Promise<Peers> {
  let runtime: OnnxRuntime;
  try {
    const module = (await import(PACKAGE)) as OnnxRuntime & { readonly default?: OnnxRuntime };
    runtime = module.default ?? module;
  } catch (error) {
    const reason = `${PACKAGE}: ${error instanceof Error ? error.message.split("\n")[0] : error}`;
    return { version: undefined, providers: [], missing: [reason], open: () => Promise.reject(new Error(reason)) };
  }
  const bundled = new Set(runtime.listSupportedBackends?.().map(({ name }) => name) ?? ["cpu"]);
  const lacking = PROVIDERS.filter((provider) => !bundled.has(provider));
  return {
    version: runtime.env.versions.node ?? "of unknown version",
    providers: PROVIDERS.filter((provider) => bundled.has(provider)),
    missing: lacking.map((provider) => `${PACKAGE} has no provider ${provider} on this platform`),
    open: (file, provider, inputs) => openGraph(runtime, join(folder, file), provider, inputs),
  };
}

async function openGraph(
  { InferenceSession, Tensor }: OnnxRuntime,
  path: string,
  provider: string,
  inputs: readonly GraphInput[],
): Promise<Contender> {
  const options = { executionProviders: [provider], logSeverityLevel: ERRORS_ONLY };
  const session = await InferenceSession.create(path, options);
  const feeds = Object.fromEntries(
    session.inputNames.map((name, i) => {
      const input = inputs[i];
      if (!input) throw new Error(`${path}: an input ${name} that nothing is known of`);
      return [name, new Tensor(input.type, input.data, input.dims)];
    }),
  );
  const [first = ""] = session.outputNames;
  return {
    name: `onnxruntime ${provider}`,
    async run() {
      const output = (await session.run(feeds))[first];
      if (!output) throw new Error(`${path}: no output ${first}`);
      return Array.from(output.data, Number);
    },
    destroy: () => session.release(),
  };
}
