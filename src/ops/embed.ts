/** Token ids to rows of an embedding table. */
import { embed as kernel } from "../../kernels/embed.js";
import type { Graph } from "../gpu/graph.js";
import type { Tensor } from "../gpu/tensor.js";
import { vecOf, weightElem } from "./linear.js";
import type { Table } from "./weights.js";

export interface EmbedRange {
  /** First id to read, ids to read, and the first row of `out` to write. */
  readonly firstId: number;
  readonly count: number;
  readonly outRow: number;
}

/** out[outRow + t, :] = table[ids[firstId + t], :], one dispatch per piece of the table. `out` [≥ rows, width] belongs to the caller. */
export function embed(g: Graph, table: Table, ids: Tensor, out: Tensor, { firstId, count, outRow }: EmbedRange): void {
  const { width } = table;
  for (const { tensor, firstRow, rows } of table.pieces) {
    g.add(
      kernel,
      { elem: weightElem(tensor, g.capabilities), vec: vecOf(width) },
      {
        firstId,
        count,
        outRow,
        width,
        stride4: Math.ceil(width / 4),
        firstRow,
        pieceRows: rows,
        tableRows: table.rows,
      },
      { ids, table: tensor, out },
    );
  }
}
