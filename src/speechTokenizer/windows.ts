/**
 * Long audio is tokenised in windows that overlap (S3Tokenizer's `_quantize_mel_batch`): each token comes from a window in which there
 * is sound on both sides of it, where there is any at all.
 *
 * Upstream pads the last window with zeros and masks them everywhere, which gives what a window of its true length gives, so here the
 * last one is simply shorter. And it starts windows as long as there is sound, where here they end with the first that reaches the end:
 * one that starts later would, when it makes fewer tokens than are dropped in front, lose some that the window before has.
 */

export interface WindowSizes {
  /** Mel frames of a window, and how many of them the next one sees too; both multiples of twice the frames of a token. */
  readonly frames: number;
  readonly overlap: number;
}

/** 30 s, the longest that the network was trained on, and 4 s. */
export const WINDOWS: WindowSizes = { frames: 3000, overlap: 400 };

export interface Window {
  /** Mel frames `from` .. `to` are looked at. */
  readonly from: number;
  readonly to: number;
  /** Of the window's tokens, `keepFrom` .. `keepTo` are taken. */
  readonly keepFrom: number;
  readonly keepTo: number;
}

/** @param tokensOf tokens that a number of frames makes */
export function windowsOf(frames: number, sizes: WindowSizes, tokensOf: (frames: number) => number): Window[] {
  const dropped = tokensOf(sizes.overlap) / 2;
  const list: Window[] = [];
  for (let from = 0; ; from += sizes.frames - sizes.overlap) {
    const to = Math.min(from + sizes.frames, frames);
    const last = to === frames;
    const tokens = tokensOf(to - from);
    list.push({ from, to, keepFrom: from === 0 ? 0 : dropped, keepTo: last ? tokens : tokens - dropped });
    if (last) return list;
  }
}
