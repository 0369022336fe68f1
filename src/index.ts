/** The public surface; everything else may change without notice. */
export { encodeWav } from "./audio/wav.js";
export type { WeightDtype } from "./checkpoint/model.js";
export {
  CosyVoice,
  type LoadOptions,
  type ModelSource,
  type Progress,
  type SpeakOptions,
  type Speech,
  type SpokenSegment,
  type Stop,
  type Timings,
} from "./cosyvoice.js";
export { CancelledError, CosyVoiceError, DeviceError, FileError, InputError, InternalError } from "./errors.js";
export type { AdapterReportData } from "./gpu/adapterReport.js";
