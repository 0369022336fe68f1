/** Parts of patterns that the English rules share. */

export const NUMBER = String.raw`\d+(?:,\d{3})*(?:\.\d+)?`;
/** No letter, digit or point of a longer number before or behind. */
export const BEFORE = String.raw`(?<![\p{L}\p{N}.,/-])`;
export const BEHIND = String.raw`(?![\p{L}\p{N}]|[.,/-]\d)`;
