import { chunkAttention } from "../../kernels/chunkAttention.js";
import { testAttention } from "../helpers/attention.js";

testAttention(chunkAttention);
