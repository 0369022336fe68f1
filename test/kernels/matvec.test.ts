import { matvec } from "../../kernels/matvec.js";
import { testMatvec } from "../helpers/matvecTest.js";

/** One element, primes, one past the lanes of a workgroup, one past a workgroup's columns. */
const SHAPES = [
  { inner: 1, cols: 1 },
  { inner: 128, cols: 5 },
  { inner: 260, cols: 127 },
  { inner: 131, cols: 4 },
];

testMatvec(matvec, SHAPES);
