/** The same transposed convolution as `convTranspose1d`, computed another way on the GPU. */
export { convTranspose1d as convTranspose1dDirect } from "./convTranspose1d.js";
