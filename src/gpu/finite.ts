/** Numbers that came back from the GPU are numbers, or the run ends with one clear error. */
import { DeviceError } from "../errors.js";

/** @param what names the values in the message, e.g. "mel" */
export function requireFinite(what: string, values: Float32Array): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new DeviceError(
    `${what}: value ${at} of ${values.length} is ${values[at]}; the weights are damaged or the driver computes wrongly (try "cosyvoice doctor")`,
  );
}
