/** A model with random weights that speaks fast: noise, at most two speech tokens for each of the text. */
import { fileURLToPath } from "node:url";

export const TINY = fileURLToPath(new URL("../models/tiny", import.meta.url));
