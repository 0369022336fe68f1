/** The public surface; everything else may change without notice. */

export { decodeWav, type Sound } from "./audio/readWav.js";
export { encodeWav } from "./audio/wav.js";
export { checkGpu, type GpuCheck, type GpuCheckOptions } from "./checkGpu.js";
export type { WeightDtype } from "./checkpoint/model.js";
export { CosyVoice, type LoadOptions } from "./cosyvoice.js";
export { CancelledError, CosyVoiceError, DeviceError, FileError, InputError, InternalError } from "./errors.js";
export type { AdapterReportData } from "./gpu/adapterReport.js";
export type { ListenOptions } from "./listen.js";
export type { FilesByPath, FolderEntry, FolderHandle, GivenFile, ModelSource } from "./modelSource.js";
export type { SelfTestResult } from "./selfTest.js";
export type { ConvertOptions, Progress, SpeakOptions, Speech, SpokenSegment, Stop, Timings } from "./speech.js";
export type { Mode, Voice, VoicePrompt } from "./voice.js";
