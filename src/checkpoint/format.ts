/** The format of a model folder, in `config.json` and `manifest.json`. */
export const FORMAT = "cosyvoice-webgpu-1";
