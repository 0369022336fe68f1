import { conv1d } from "../../kernels/conv1d.js";
import { testConv1d } from "../helpers/conv1dTest.js";

const PLAIN = { batch: 1, stride: 1, dilation: 1 };
/** One element; causal in a batch of two past a tile; look-ahead; dilated, more taps than frames; strided; 1×1. */
const SHAPES = [
  { ...PLAIN, framesIn: 1, framesOut: 1, channelsIn: 1, channelsOut: 1, taps: 1, padLeft: 0 },
  { ...PLAIN, batch: 2, framesIn: 33, framesOut: 33, channelsIn: 8, channelsOut: 67, taps: 3, padLeft: 2 },
  { ...PLAIN, framesIn: 20, framesOut: 17, channelsIn: 68, channelsOut: 5, taps: 4, padLeft: 0 },
  { ...PLAIN, dilation: 5, framesIn: 13, framesOut: 13, channelsIn: 18, channelsOut: 9, taps: 11, padLeft: 25 },
  { ...PLAIN, stride: 15, framesIn: 601, framesOut: 40, channelsIn: 18, channelsOut: 64, taps: 30, padLeft: 7 },
  { ...PLAIN, framesIn: 129, framesOut: 129, channelsIn: 36, channelsOut: 33, taps: 1, padLeft: 0 },
  { ...PLAIN, framesIn: 9, framesOut: 18, channelsIn: 12, channelsOut: 12, taps: 5, padLeft: 4 },
];

testConv1d(conv1d, SHAPES);
