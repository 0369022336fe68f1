/** Opens a reference bundle: its model and the tensors of one stage, by case. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { WeightDtype } from "../../src/checkpoint/model.js";
import { type Model, openModel } from "../../src/checkpoint/model.js";
import { openSafetensors } from "../../src/checkpoint/safetensors.js";
import { openFile, openFolder } from "../../src/platform/nodeFiles.js";

/** Tensors of one case by name; ids are read as whole numbers. */
export type Case = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;

export interface Bundle {
  readonly model: Model;
  /** Cases of a stage, each with its name. */
  stage(name: string): Promise<[string, Case][]>;
  close(): Promise<void>;
}

export async function openBundle(path: string, dtype: WeightDtype): Promise<Bundle> {
  const model = await openModel(await openFolder(`${path}/model`), { dtype });
  const file = await openFile(`${path}/reference.safetensors`);
  const { tensors } = await openSafetensors(file);
  return {
    model,
    stage: async (stage) => {
      const cases = new Map<string, Record<string, { shape: readonly number[]; data: Float32Array }>>();
      for (const [name, tensor] of tensors) {
        const [of, which, what] = name.split("/");
        if (of !== stage || which === undefined || what === undefined) continue;
        const entry = cases.get(which) ?? {};
        entry[what] = { shape: tensor.shape, data: await tensor.read(0, tensor.elements) };
        cases.set(which, entry);
      }
      return [...cases];
    },
    close: async () => {
      await file.close();
      await model.close();
    },
  };
}

/** The bundles that are at hand: the project's own, and one beside the checkout where there is one. */
export const BUNDLES = [
  fileURLToPath(new URL("../bundles/a", import.meta.url)),
  fileURLToPath(new URL("../bundles/b", import.meta.url)),
  fileURLToPath(new URL("../../../shared/reference/mini", import.meta.url)),
].filter((path) => existsSync(`${path}/reference.safetensors`));
