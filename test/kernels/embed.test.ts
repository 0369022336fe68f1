import { describe, test } from "vitest";
import { embed } from "../../kernels/embed.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { asStored, runKernel, runnable } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { embed as reference } from "../reference/embed.js";

/** One element, primes, ids at both ends of a piece and outside the table. */
const SHAPES = [
  { width: 1, rows: 1, ids: [0, -3, 9] },
  { width: 13, rows: 11, ids: [10, 0, 5, 7, -1, 6] },
  { width: 260, rows: 7, ids: [6, 3, 3, 0, 99] },
];

describe.each(adapterNames)("embed on %s", (adapter) => {
  test.for(embed.variants.map((constants) => [variantName(embed, constants), constants] as const))(
    "%s gathers rows from a table in pieces, at an offset",
    async ([, constants], { skip }) => {
      const device = await testDevice(adapter);
      skip(!runnable(device, embed, constants), "no shader-f16 here; the f16x2 variant covers it");
      for (const { width, rows, ids } of SHAPES) {
        if (constants.vec === 4 && width % 4 !== 0) continue;
        const stride4 = Math.ceil(width / 4);
        const table = asStored(constants.elem, uniform(1, rows * width));
        const want = reference(Int32Array.from(ids), table, { rows, width });
        const outRow = 2;
        const firstId = 1;
        let out = new Float32Array((outRow + ids.length) * width);
        // Every piece writes its own rows only: running all of them over one output gives the whole.
        const cut = Math.ceil(rows / 2);
        for (const { firstRow, pieceRows } of [
          { firstRow: 0, pieceRows: cut },
          { firstRow: cut, pieceRows: rows - cut },
        ]) {
          if (pieceRows === 0) continue;
          const piece = new Float32Array(pieceRows * stride4 * 4);
          for (let r = 0; r < pieceRows; r++) {
            piece.set(table.subarray((firstRow + r) * width, (firstRow + r + 1) * width), r * stride4 * 4);
          }
          const result = await runKernel(
            device,
            embed,
            constants,
            { firstId, count: ids.length, outRow, width, stride4, firstRow, pieceRows, tableRows: rows },
            {
              ids: { shape: [firstId + ids.length], data: Int32Array.from([0, ...ids]) },
              table: { shape: [pieceRows, stride4, 4], data: piece },
              out: { shape: [outRow + ids.length, width], data: out },
            },
          );
          out = result.out as Float32Array<ArrayBuffer>;
        }
        expectClose(out.subarray(outRow * width), want, {}, [ids.length, width], ["t", "k"]);
        expectClose(out.subarray(0, outRow * width), new Float32Array(outRow * width), {});
      }
    },
  );
});
