import { matvecDirect } from "../../kernels/matvecDirect.js";
import { testMatvec } from "../helpers/matvecTest.js";

/** One element, primes, one past the columns of a thread and of a workgroup. */
const SHAPES = [
  { inner: 1, cols: 1 },
  { inner: 128, cols: 65 },
  { inner: 260, cols: 127 },
  { inner: 131, cols: 4 },
];

testMatvec(matvecDirect, SHAPES);
