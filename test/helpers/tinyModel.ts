/** A model with random weights that speaks fast: noise, of about the right length. */
import { fileURLToPath } from "node:url";

export const TINY = fileURLToPath(new URL("../models/tiny", import.meta.url));
