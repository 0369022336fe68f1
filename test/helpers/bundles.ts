/** The committed reference bundles. `COSYVOICE_TEST_BUNDLES` (comma-separated folders) replaces them while developing. */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const committed = ["a", "b"].map((name) => fileURLToPath(new URL(`../bundles/${name}`, import.meta.url)));

export const BUNDLES: readonly { readonly name: string; readonly path: string }[] = (
  process.env.COSYVOICE_TEST_BUNDLES?.split(",") ?? committed
).map((path) => ({ name: basename(path), path }));
