/** The same computation as `chunkAttention`. */
export { chunkAttention as chunkAttentionDirect } from "./chunkAttention.js";
