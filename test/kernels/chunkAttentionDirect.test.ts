import { chunkAttentionDirect } from "../../kernels/chunkAttentionDirect.js";
import { testAttention } from "../helpers/attention.js";

testAttention(chunkAttentionDirect);
