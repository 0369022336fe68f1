/**
 * The best path of a text through a transducer, as OpenFst's composition and shortest path find it, ties included: among paths
 * of the same weight the one is taken that they meet first.
 */
import { AHEAD_WORDS, type Fst } from "./fst.js";

/** Marks of a node (a place in the text with a state of the transducer) that is no number of a live one. */
const OPEN = -1;
const DEAD = -2;

/** Nodes, or edges, that a search may hold: about a GB. */
const MAX_SIZE = 48_000_000;

/**
 * The bytes that the best path writes [n]; undefined where no path reads the whole text, or too many do part of it to be searched.
 * @param text bytes of UTF-8; zeros in it are skipped, as they read nothing
 */
export function transduce(fst: Fst, text: Uint8Array): Uint8Array | undefined {
  const lattice = compose(
    fst,
    text.filter((byte) => byte !== 0),
  );
  return lattice && trace(fst, lattice);
}

/**
 * All that is on a path from the start to an end. Nodes are numbered as a depth-first walk leaves them: every edge leads to a
 * lower number, the last node is the start.
 */
interface Lattice {
  /** The edges of node n are those from `first[n]` to `first[n + 1]`, each with its arc and the node it leads to. */
  readonly first: Ints;
  readonly arc: Ints;
  readonly to: Ints;
  /** Weight of ending, of the nodes that may. */
  readonly final: ReadonlyMap<number, number>;
}

function compose(fst: Fst, text: Uint8Array): Lattice | undefined {
  const { first: firstArc, input, next, ahead } = fst;
  const nodes = new Nodes(text.length + 1);
  const final = new Map<number, number>();
  const [first, edgeArc, edgeTo] = [new Ints(), new Ints(), new Ints()];
  // The walk: the nodes on the way here, the arc that each is on, and where its edges begin among all that are still pending.
  let path = new Int32Array(1 << 10);
  let depth = 0;
  // Edges with the nodes they lead to.
  let pending = new Int32Array(1 << 10);
  let count = 0;

  first.push(0);
  if (!has(ahead, fst.start, text[0] ?? 0)) return undefined;
  let [place, state] = [0, fst.start];
  let node = nodes.find(place, state);
  let arc = firstArc[state] as number;
  let edges = 0;
  for (;;) {
    const byte = place < text.length ? (text[place] as number) : -1;
    const after = place + 1 < text.length ? (text[place + 1] as number) : 0;
    const end = firstArc[state + 1] as number;
    let child = -1;
    while (arc < end) {
      const label = input[arc] as number;
      if (label !== 0 && label !== byte) {
        if (label > byte) break;
        arc = lowerBound(input, arc, end, byte);
        continue;
      }
      const target = next[arc] as number;
      if (label === 0 ? has(ahead, target, Math.max(byte, 0)) : has(ahead, target, after)) {
        const found = nodes.find(label === 0 ? place : place + 1, target);
        const mark = nodes.mark(found);
        if (mark === OPEN) {
          child = found;
          break;
        }
        if (mark !== DEAD) {
          if (count === pending.length) pending = doubled(pending);
          pending[count++] = arc;
          pending[count++] = mark;
        }
      }
      arc++;
    }
    if (child >= 0) {
      if (nodes.length > MAX_SIZE || edgeArc.length > MAX_SIZE) return undefined;
      if (depth + FRAME > path.length) path = doubled(path);
      path[depth++] = node;
      path[depth++] = arc;
      path[depth++] = edges;
      if (input[arc] !== 0) place++;
      state = next[arc] as number;
      node = child;
      arc = firstArc[state] as number;
      edges = count;
      continue;
    }

    // Nothing more leads on from here: the node is decided.
    const weight = place === text.length ? (fst.final[state] as number) : Number.POSITIVE_INFINITY;
    const ends = weight !== Number.POSITIVE_INFINITY;
    let mark = DEAD;
    if (ends || count > edges) {
      mark = first.length - 1;
      if (ends) final.set(mark, weight);
      for (let i = edges; i < count; i += 2) {
        edgeArc.push(pending[i] as number);
        edgeTo.push(pending[i + 1] as number);
      }
      first.push(edgeArc.length);
      count = edges;
    }
    nodes.decide(node, mark);
    if (depth === 0) break;
    edges = path[--depth] as number;
    arc = path[--depth] as number;
    node = path[--depth] as number;
    state = nodes.state(node);
    if (input[arc] !== 0) place--;
    if (mark !== DEAD) {
      if (count === pending.length) pending = doubled(pending);
      pending[count++] = arc;
      pending[count++] = mark;
    }
    arc++;
  }
  return first.length > 1 ? { first, arc: edgeArc, to: edgeTo, final } : undefined;
}

/** Numbers that a node on the way keeps. */
const FRAME = 3;

function doubled(list: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(2 * list.length);
  longer.set(list);
  return longer;
}

/** Whether a state's set in `Fst.ahead` has a byte. */
function has(ahead: Uint32Array, state: number, byte: number): boolean {
  return (((ahead[state * AHEAD_WORDS + (byte >> 5)] as number) >>> (byte & 31)) & 1) === 1;
}

/** Distances from the start, in float32 and in OpenFst's order of relaxing, then the way back from the best end. */
function trace(fst: Fst, { first, arc, to, final }: Lattice): Uint8Array {
  const count = first.length - 1;
  const start = count - 1;
  const distance = new Float32Array(count).fill(Number.POSITIVE_INFINITY);
  /** Best edge into a node. */
  const edgeInto = new Int32Array(count).fill(-1);
  let best = Number.POSITIVE_INFINITY;
  let last = -1;

  /** @param improved told of every node whose distance fell */
  const relax = (node: number, improved: (node: number) => void) => {
    const so = distance[node] as number;
    const whole = Math.fround(so + (final.get(node) ?? Number.POSITIVE_INFINITY));
    if (whole < best) {
      best = whole;
      last = node;
    }
    for (let edge = first.get(node); edge < first.get(node + 1); edge++) {
      const target = to.get(edge);
      const through = Math.fround(so + (fst.weight[arc.get(edge)] as number));
      if (through < (distance[target] as number)) {
        distance[target] = through;
        edgeInto[target] = edge;
        improved(target);
      }
    }
  };

  distance[start] = 0;
  let weighted = false;
  for (let edge = 0; edge < arc.length && !weighted; edge++) weighted = fst.weight[arc.get(edge)] !== 0;
  if (weighted) {
    for (let node = start; node >= 0; node--) relax(node, () => undefined);
  } else {
    const stack = new Ints();
    stack.push(start);
    while (stack.length > 0) relax(stack.pop(), (node) => stack.push(node));
  }

  const written: number[] = [];
  for (let node = last; node !== start; ) {
    const edge = edgeInto[node] as number;
    const byte = fst.output[arc.get(edge)] as number;
    if (byte !== 0) written.push(byte);
    node = sourceOf(edge, first);
  }
  return Uint8Array.from(written.reverse());
}

/** The node n with `first[n] <= edge < first[n + 1]`. */
function sourceOf(edge: number, first: Ints): number {
  let [low, high] = [0, first.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (first.get(middle) <= edge) low = middle;
    else high = middle;
  }
  return low;
}

/** First arc from `from` on whose label is not below `byte`, or `end`. */
function lowerBound(input: Uint8Array, from: number, end: number, byte: number): number {
  let [low, high] = [from, end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((input[middle] as number) < byte) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * When lists are made shorter. The walk works its way from the end of the text to its start, so that how many nodes a place has
 * shows long before the average over all places does.
 */
const LONG_LIST = 8;
const LISTS_A_NODE = 128;
const MAX_LISTS = 1 << 24;
/** Numbers that a node takes: its state, its mark, the next node of its list or -1. */
const RECORD = 3;

/** The nodes seen. They are found through lists, a few for every place, so that neighbours in the text are neighbours in memory. */
class Nodes {
  length = 0;
  /** Nodes that the pieces have room for: at first fewer than one piece's share. */
  private room = 64;
  private readonly pieces = [new Int32Array(this.room * RECORD)];
  /** First node + 1 of each list; 0 where it is empty. */
  private lists: Int32Array;
  private shift = 0;

  constructor(places: number) {
    this.lists = new Int32Array(places);
  }

  /** The node of a place and a state; a new one is open. */
  find(place: number, state: number): number {
    const list = this.listOf(place, state);
    const head = (this.lists[list] as number) - 1;
    let steps = 0;
    for (let node = head; node >= 0; steps++) {
      const piece = this.pieces[node >> PIECE_BITS] as Int32Array;
      const at = (node & (PIECE - 1)) * RECORD;
      if (piece[at] === state) return node;
      node = piece[at + 2] as number;
    }
    if (this.length === this.room) this.room = grow(this.pieces, this.room, RECORD);
    const node = this.length++;
    const piece = this.pieces[node >> PIECE_BITS] as Int32Array;
    const at = (node & (PIECE - 1)) * RECORD;
    piece[at] = state;
    piece[at + 1] = OPEN;
    piece[at + 2] = head;
    this.lists[list] = node + 1;
    if (steps > LONG_LIST && this.lists.length < LISTS_A_NODE * this.length && this.lists.length < MAX_LISTS)
      this.divide();
    return node;
  }

  state(node: number): number {
    return (this.pieces[node >> PIECE_BITS] as Int32Array)[(node & (PIECE - 1)) * RECORD] as number;
  }

  mark(node: number): number {
    return (this.pieces[node >> PIECE_BITS] as Int32Array)[(node & (PIECE - 1)) * RECORD + 1] as number;
  }

  decide(node: number, mark: number): void {
    (this.pieces[node >> PIECE_BITS] as Int32Array)[(node & (PIECE - 1)) * RECORD + 1] = mark;
  }

  private listOf(place: number, state: number): number {
    // The highest bits of the product are the best mixed; in two steps, as a shift by 32 would be one by 0.
    return (place << this.shift) | ((Math.imul(state, 0x9e3779b1) >>> 1) >>> (31 - this.shift));
  }

  /** Makes two lists of each. */
  private divide(): void {
    const old = this.lists;
    this.lists = new Int32Array(2 * old.length);
    this.shift++;
    for (let list = 0; list < old.length; list++) {
      const place = list >> (this.shift - 1);
      for (let node = (old[list] as number) - 1; node >= 0; ) {
        const piece = this.pieces[node >> PIECE_BITS] as Int32Array;
        const at = (node & (PIECE - 1)) * RECORD;
        const to = this.listOf(place, piece[at] as number);
        const after = piece[at + 2] as number;
        piece[at + 2] = (this.lists[to] as number) - 1;
        this.lists[to] = node + 1;
        node = after;
      }
    }
  }
}

/** Items in one piece of memory, at most. Growing in pieces copies little and needs no second place. */
const PIECE_BITS = 16;
const PIECE = 1 << PIECE_BITS;

/** Gives a list of pieces more room. @returns for how many items */
function grow(pieces: Int32Array[], room: number, size: number): number {
  if (room >= PIECE) {
    pieces.push(new Int32Array(PIECE * size));
    return room + PIECE;
  }
  const only = new Int32Array(4 * room * size);
  only.set(pieces[0] as Int32Array);
  pieces[0] = only;
  return 4 * room;
}

/** A growing list of 32-bit numbers. */
class Ints {
  length = 0;
  private room = 64;
  private readonly pieces = [new Int32Array(this.room)];

  get(index: number): number {
    return (this.pieces[index >> PIECE_BITS] as Int32Array)[index & (PIECE - 1)] as number;
  }

  push(value: number): void {
    if (this.length === this.room) this.room = grow(this.pieces, this.room, 1);
    const index = this.length++;
    (this.pieces[index >> PIECE_BITS] as Int32Array)[index & (PIECE - 1)] = value;
  }

  pop(): number {
    return this.get(--this.length);
  }
}
