/** The GPU as a browser sees it: `navigator.gpu`. The names match those of `node.ts`, so the core cannot tell them apart. */
import type { Folder } from "../checkpoint/source.js";
import { DeviceError } from "../errors.js";
import type { FoundAdapter } from "../gpu/device.js";
import { namedAddresses } from "./browserFiles.js";

export { type FolderSource, openFolder } from "./browserFiles.js";

/**
 * The grammars of the text normaliser, in this package. Spelled out in this form, bundlers find them and copy them; seen from the
 * compiled file.
 */
const GRAMMARS: Readonly<Record<string, () => URL>> = {
  "zh-tagger.packed": () => new URL("../../../weights/wetext/zh-tagger.packed", import.meta.url),
  "zh-verbalizer.packed": () => new URL("../../../weights/wetext/zh-verbalizer.packed", import.meta.url),
  "en-tagger.packed": () => new URL("../../../weights/wetext/en-tagger.packed", import.meta.url),
  "en-verbalizer.packed": () => new URL("../../../weights/wetext/en-verbalizer.packed", import.meta.url),
};

export async function openGrammars(): Promise<Folder> {
  return namedAddresses("the grammars of this package", GRAMMARS);
}

declare const navigator: { readonly gpu?: GPU } | undefined;

/** The browser chooses the adapter; `name` is only checked against what it gave. */
export async function findAdapter(name?: string): Promise<FoundAdapter> {
  const gpu = typeof navigator === "undefined" ? undefined : navigator.gpu;
  if (!gpu) {
    throw new DeviceError(
      "this browser has no WebGPU (navigator.gpu is missing); use a current Chrome, Edge, Safari or Firefox over https",
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new DeviceError("the browser offers no WebGPU adapter; check chrome://gpu or its equal");
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const own = `${vendor} ${device || architecture}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  if (name !== undefined && !own.includes(name.toLowerCase())) {
    throw new DeviceError(`the browser's GPU adapter is "${own}", not "${name}"; a page cannot choose another`);
  }
  return { adapter, description: { name: own, vendor, architecture, description, software: isFallbackAdapter } };
}
