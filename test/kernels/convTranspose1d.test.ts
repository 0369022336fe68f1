import { convTranspose1d } from "../../kernels/convTranspose1d.js";
import { testConvTranspose1d } from "../helpers/convTranspose1dTest.js";

/** The model's three kinds with odd widths, one element, a stride beyond the kernel (holes), one past a tile, a reflection. */
const SHAPES = [
  { framesIn: 1, channelsIn: 1, channelsOut: 1, taps: 1, stride: 1, pad: 0, shift: 0, slope: 1 },
  { framesIn: 9, channelsIn: 20, channelsOut: 10, taps: 16, stride: 8, pad: 4, shift: 0, slope: 0.1 },
  { framesIn: 33, channelsIn: 6, channelsOut: 3, taps: 11, stride: 5, pad: 3, shift: 0, slope: 0.1 },
  { framesIn: 65, channelsIn: 12, channelsOut: 33, taps: 7, stride: 3, pad: 2, shift: 1, slope: 0.1 },
  { framesIn: 5, channelsIn: 4, channelsOut: 5, taps: 2, stride: 3, pad: 0, shift: 2, slope: 0.5 },
];

testConvTranspose1d(convTranspose1d, SHAPES);
