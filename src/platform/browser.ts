/** The GPU as a browser sees it: `navigator.gpu`. The names match those of `node.ts`, so the core cannot tell them apart. */
import type { Folder } from "../checkpoint/source.js";
import { DeviceError, InputError } from "../errors.js";
import type { FoundAdapter } from "../gpu/device.js";
import { lazily } from "../lazily.js";
import type { ModelSource } from "../modelSource.js";
import { adapterName, UNKNOWN } from "./adapterName.js";
import { fromBase64 } from "./base64.js";
import { blobFile, foundFolder } from "./givenFiles.js";

export { openFolder } from "./browserFiles.js";

/** No page should carry 15 MB because it might be asked for no model in particular. @throws InputError */
export function packagedVoice(): ModelSource {
  throw new InputError(
    'no model is given; for the voice in this package write: import { english } from "cosyvoice-webgpu/english", then CosyVoice.load(english)',
  );
}

/** Modules, so that every bundler makes a file of each, and the page loads it when a text first needs it. */
const GRAMMARS = {
  zh: () => import("#grammars/zh"),
  en: () => import("#grammars/en"),
};

const INSTEAD = 'or give the option "grammars" the address of a copy of node_modules/cosyvoice-webgpu/weights/wetext';

/** The folder of the text normaliser's grammars, in this package. */
export async function openGrammars(): Promise<Folder> {
  return foundFolder("the grammars of this package", async (path) => {
    const [, language = "", part = ""] = /^(zh|en)-(tagger|verbalizer)\.packed$/.exec(path) ?? [];
    if (language !== "zh" && language !== "en") return undefined;
    const module = await lazily(`the grammars of this package (${language})`, GRAMMARS[language], INSTEAD);
    return blobFile(new Blob([fromBase64(module[part as "tagger" | "verbalizer"])]), path);
  });
}

declare const navigator: { readonly gpu?: GPU } | undefined;

/** The browser chooses the adapter; `name` is only checked against what it gave. */
export async function findAdapter(name?: string): Promise<FoundAdapter> {
  const gpu = typeof navigator === "undefined" ? undefined : navigator.gpu;
  if (!gpu) {
    throw new DeviceError(
      "this browser has no WebGPU (navigator.gpu is missing); use a current Chrome, Edge, Safari or Firefox over https (Firefox may need dom.webgpu.enabled in about:config)",
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new DeviceError("the browser offers no WebGPU adapter; check chrome://gpu or its equal");
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const own = adapterName(adapter.info);
  if (name !== undefined && own === UNKNOWN) {
    throw new DeviceError(
      `this browser hides what GPU it has (its vendor, device and description are empty), so nobody can tell whether it is "${name}"; name no adapter`,
    );
  }
  if (name !== undefined && !own.includes(name.toLowerCase())) {
    throw new DeviceError(`the browser's GPU adapter is "${own}", not "${name}"; a page cannot choose another`);
  }
  return { adapter, description: { name: own, vendor, architecture, description, software: isFallbackAdapter } };
}
