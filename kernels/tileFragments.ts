/** What the matrix products share: a tile staged in workgroup memory, and a thread's 4 × 4 block of sums. */

/**
 * WGSL: the slices of both operands in workgroup memory, by vec4 of the inner dimension (STEP of them) and then by row or column. The
 * pitch of one more keeps threads that store side by side in different banks.
 */
export const tileMemory = (threads: number): string => `const THREADS = ${threads}u;
const TILE = 4u * THREADS;
const STEP = 4u; // vec4s of the inner dimension per stage
const ITEMS = TILE * STEP / (THREADS * THREADS); // that a thread loads per stage, of each operand
const PITCH = TILE + 1u;
var<workgroup> xTile: array<vec4f, PITCH * STEP>;
var<workgroup> wTile: array<vec4f, PITCH * STEP>;`;

/** WGSL: waits for the stage to be loaded, adds its products to `sums`, rows by columns THREADS apart, and waits for all to be done with it. */
export const multiplyTile = `workgroupBarrier();
  for (var k = 0u; k < STEP; k++) {
    let at = k * PITCH + local.x;
    let w0 = wTile[at];
    let w1 = wTile[at + THREADS];
    let w2 = wTile[at + 2u * THREADS];
    let w3 = wTile[at + 3u * THREADS];
    for (var r = 0u; r < 4u; r++) {
      let v = xTile[k * PITCH + local.y + r * THREADS];
      sums[r] += vec4f(dot(v, w0), dot(v, w1), dot(v, w2), dot(v, w3));
    }
  }
  workgroupBarrier();`;

/** WGSL: the sums of a 4 × 4 block, four named vectors: an array would be indexed memory, which a CPU does not keep in registers. */
export const blockSums = `var s0 = vec4f();
  var s1 = vec4f();
  var s2 = vec4f();
  var s3 = vec4f();`;

/** WGSL: adds the products of rows v0 .. v3 with columns w0 .. w3 to them. */
export const multiplyBlock = `s0 += vec4f(dot(v0, w0), dot(v0, w1), dot(v0, w2), dot(v0, w3));
      s1 += vec4f(dot(v1, w0), dot(v1, w1), dot(v1, w2), dot(v1, w3));
      s2 += vec4f(dot(v2, w0), dot(v2, w1), dot(v2, w2), dot(v2, w3));
      s3 += vec4f(dot(v3, w0), dot(v3, w1), dot(v3, w2), dot(v3, w3));`;
