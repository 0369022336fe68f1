/**
 * The errors a caller can catch. Every message names the thing, the rule, the value and, where there is one, the way out.
 */

/** Base class of everything this library throws on purpose. */
export class CosyVoiceError extends Error {
  override name = "CosyVoiceError";
}

/** An argument (text, voice name, option) breaks a rule. Nothing was computed. */
export class InputError extends CosyVoiceError {
  override name = "InputError";
}

/** A file is missing, damaged, hostile or does not fit the model it claims to be. */
export class FileError extends CosyVoiceError {
  override name = "FileError";
}

/** There is no usable GPU adapter, the device was lost, or it refused a command. */
export class DeviceError extends CosyVoiceError {
  override name = "DeviceError";
}

/** The caller's AbortSignal fired; everything the call held has been freed. */
export class CancelledError extends CosyVoiceError {
  override name = "CancelledError";
}

/** A defect of this library: an invariant does not hold. */
export class InternalError extends CosyVoiceError {
  override name = "InternalError";
}

/** @param what was being done, for the message. @throws CancelledError when the signal has fired */
export function checkCancelled(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new CancelledError(`${what} was cancelled`);
}
