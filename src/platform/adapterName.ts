/** Browsers may hide what GPU they have; its name is this then. */
export const UNKNOWN = "unknown";

/** What a GPU is called in options and reports: its maker and model, in lower case, words joined by "-". */
export function adapterName({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  const words = `${vendor} ${device || architecture || description}`.toLowerCase();
  return words.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || UNKNOWN;
}
