/**
 * A reader for the small part of Python's pickle that tensor files use. It builds plain values and never runs anything:
 * a global is a name looked up in the caller's list, and calling one calls the caller's own function.
 *
 * Opcodes: the Python documentation of `pickletools`. Every length is checked against the bytes at hand before it is used. A byte
 * or two may recall a whole list or make a dict, so the values made are counted too.
 */
import { FileError } from "../errors.js";
import {
  PickleDict,
  PickleGlobal,
  PickleObject,
  type PickleRules,
  PickleTuple,
  type PickleValue,
} from "./pickleValues.js";
import { printable } from "./printable.js";

const MAX_STACK = 1_000_000;

/** Values a file may make in all; a release makes under 100,000. */
const MAX_VALUES = 2_000_000;
/** An empty dict takes as much memory as so many other values. */
const DICT_VALUES = 8;
/** Characters that take as much memory as a value: what is called may copy a text it is given. */
const VALUE_CHARACTERS = 64;
/** Bytes of the longest integer: states of random generators have 16 and 32. */
const MAX_LONG = 64;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Marks the start of a variable-length group on the stack. */
const MARK = Symbol("mark");
type Slot = PickleValue | typeof MARK;

/** @throws FileError for anything but a well-formed pickle within the rules. */
export function unpickle(bytes: Uint8Array, rules: PickleRules): PickleValue {
  return new Machine(bytes, rules).run();
}

class Machine {
  private at = 0;
  private readonly stack: Slot[] = [];
  private readonly memo = new Map<number, PickleValue>();
  private readonly view: DataView;
  private values = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly rules: PickleRules,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): PickleValue {
    for (;;) {
      const start = this.at;
      const opcode = this.byte();
      if (opcode === 0x2e) return this.pop(); // STOP
      this.step(opcode, start);
      if (this.stack.length > MAX_STACK) throw this.error(`more than ${MAX_STACK} values on the stack`);
    }
  }

  private step(opcode: number, start: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        if (this.byte() > 5) throw this.error("made by an unknown pickle protocol");
        return;
      case 0x95: // FRAME
        this.take(8);
        return;
      case 0x28: // MARK
        this.stack.push(MARK);
        return;
      case 0x30: // POP
        this.stack.pop();
        return;
      case 0x31: // POP_MARK
        this.popMark();
        return;
      case 0x32: // DUP
        this.push(this.top());
        return;
      case 0x4e: // NONE
        this.push(null);
        return;
      case 0x88: // NEWTRUE
        this.push(true);
        return;
      case 0x89: // NEWFALSE
        this.push(false);
        return;
      default:
        if (this.number(opcode) || this.text(opcode) || this.container(opcode) || this.memory(opcode)) return;
        if (this.object(opcode)) return;
        throw this.error(`opcode 0x${opcode.toString(16)} at byte ${start} is not one that a file of tensors uses`);
    }
  }

  /** Integers and floats. */
  private number(opcode: number): boolean {
    switch (opcode) {
      case 0x4a: // BININT
        this.push(this.view.getInt32(this.take(4), true));
        return true;
      case 0x4b: // BININT1
        this.push(this.byte());
        return true;
      case 0x4d: // BININT2
        this.push(this.view.getUint16(this.take(2), true));
        return true;
      case 0x47: // BINFLOAT, big-endian
        this.push(this.view.getFloat64(this.take(8), false));
        return true;
      case 0x8a: // LONG1
        this.push(this.long(this.byte()));
        return true;
      default:
        return false;
    }
  }

  /** A little-endian two's complement integer of `length` bytes. */
  private long(length: number): number {
    if (length > MAX_LONG) throw this.error(`an integer of ${length} bytes, at most ${MAX_LONG}`);
    const start = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[start + i] as number);
    // One that no double holds counts for no size or offset either: those are asked to be safe integers where they are used.
    return Number(BigInt.asIntN(8 * length, value));
  }

  /** Strings and byte strings. */
  private text(opcode: number): boolean {
    switch (opcode) {
      case 0x58: // BINUNICODE
        this.push(this.decode(this.view.getUint32(this.take(4), true)));
        return true;
      case 0x8c: // SHORT_BINUNICODE
        this.push(this.decode(this.byte()));
        return true;
      case 0x54: // BINSTRING
      case 0x42: // BINBYTES
        this.push(this.slice(this.view.getUint32(this.take(4), true)));
        return true;
      case 0x8d: // BINUNICODE8
        this.push(this.decode(this.length8()));
        return true;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        this.push(this.slice(this.length8()));
        return true;
      case 0x55: // SHORT_BINSTRING
      case 0x43: // SHORT_BINBYTES
        this.push(this.slice(this.byte()));
        return true;
      default:
        return false;
    }
  }

  private container(opcode: number): boolean {
    switch (opcode) {
      case 0x29: // EMPTY_TUPLE
        this.push(new PickleTuple([]));
        return true;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: {
        // TUPLE3
        const items: PickleValue[] = [];
        for (let i = opcode - 0x84; i > 0; i--) items.unshift(this.pop());
        this.push(new PickleTuple(items));
        return true;
      }
      case 0x74: // TUPLE
        this.push(new PickleTuple(this.popMark()));
        return true;
      case 0x91: // FROZENSET
        this.push(new PickleTuple(this.popMark()));
        return true;
      case 0x5d: // EMPTY_LIST
      case 0x8f: // EMPTY_SET
        this.push([]);
        return true;
      case 0x6c: // LIST
        this.push(this.popMark());
        return true;
      case 0x61: {
        // APPEND
        const item = this.pop();
        this.list().push(item);
        return true;
      }
      case 0x65: // APPENDS
      case 0x90: {
        // ADDITEMS, of a set
        const items = this.popMark();
        const list = this.list();
        for (const item of items) list.push(item);
        return true;
      }
      case 0x7d: // EMPTY_DICT
        this.push(this.emptyDict());
        return true;
      case 0x64: {
        // DICT
        const items = this.popMark();
        this.push(this.emptyDict());
        this.setItems(items);
        return true;
      }
      case 0x73: {
        // SETITEM
        const value = this.pop();
        this.setItems([this.pop(), value]);
        return true;
      }
      case 0x75: // SETITEMS
        this.setItems(this.popMark());
        return true;
      default:
        return false;
    }
  }

  private memory(opcode: number): boolean {
    switch (opcode) {
      case 0x71: // BINPUT
        this.memoize(this.byte());
        return true;
      case 0x72: // LONG_BINPUT
        this.memoize(this.view.getUint32(this.take(4), true));
        return true;
      case 0x94: // MEMOIZE
        this.memoize(this.memo.size);
        return true;
      case 0x68: // BINGET
        this.push(this.recall(this.byte()));
        return true;
      case 0x6a: // LONG_BINGET
        this.push(this.recall(this.view.getUint32(this.take(4), true)));
        return true;
      default:
        return false;
    }
  }

  /** Globals, calls of globals, and state, all within the rules. */
  private object(opcode: number): boolean {
    switch (opcode) {
      case 0x63: // GLOBAL
        this.push(this.global(this.line(), this.line()));
        return true;
      case 0x93: {
        // STACK_GLOBAL
        const [name, module] = [this.pop(), this.pop()];
        if (typeof name !== "string" || typeof module !== "string") throw this.error("a global without a name");
        this.push(this.global(module, name));
        return true;
      }
      case 0x51: // BINPERSID
        this.push(this.rules.persistent(this.pop()));
        return true;
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ: the same for a class
        const [args, callee] = [this.pop(), this.pop()];
        if (!(callee instanceof PickleGlobal && callee.call && args instanceof PickleTuple)) {
          throw this.error("a call of something that is not a known function");
        }
        // What is called may make a dict of every list it is given.
        this.count(DICT_VALUES);
        for (const item of args.items) {
          if (Array.isArray(item)) this.count(item.length);
          else if (typeof item === "string" || item instanceof Uint8Array) this.count(item.length / VALUE_CHARACTERS);
        }
        this.push(callee.call(args.items));
        return true;
      }
      case 0x62: {
        // BUILD: attributes, which few objects need (of a state dict they are the versions of its modules).
        const [state, target] = [this.pop(), this.top()];
        if (target instanceof PickleObject) target.build?.(state);
        return true;
      }
      default:
        return false;
    }
  }

  private global(module: string, name: string): PickleGlobal {
    const found = this.rules.globals.get(`${module} ${name}`);
    if (!found) {
      throw this.error(
        `it wants to load ${printable(module)}.${printable(name)}, and only tensors are allowed; the file may be harmful; if you trust who made it, save the weights alone in PyTorch: torch.save(model.state_dict(), ...)`,
      );
    }
    return found;
  }

  private setItems(items: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof PickleDict) || items.length % 2)
      throw this.error("an item set on something that is not a dict");
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      // What lies under another key, a tuple say, is nothing that anybody looks up here.
      if (typeof key === "string" || typeof key === "number") dict.entries.set(key, items[i + 1] as PickleValue);
    }
  }

  private list(): PickleValue[] {
    const list = this.top();
    if (!Array.isArray(list)) throw this.error("an item appended to something that is not a list");
    return list;
  }

  private push(value: PickleValue): void {
    this.count(1);
    this.stack.push(value);
  }

  private count(values: number): void {
    this.values += values;
    if (this.values > MAX_VALUES) throw this.error(`it makes more than ${MAX_VALUES} values; the file may be harmful`);
  }

  private emptyDict(): PickleDict {
    this.count(DICT_VALUES);
    return new PickleDict();
  }

  private memoize(index: number): void {
    this.count(1);
    this.memo.set(index, this.top());
  }

  private top(): PickleValue {
    const slot = this.stack.at(-1);
    if (slot === undefined || slot === MARK) throw this.error("it takes a value from an empty stack");
    return slot;
  }

  private pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private popMark(): PickleValue[] {
    const mark = this.stack.lastIndexOf(MARK);
    if (mark < 0) throw this.error("it closes a group that it never opened");
    const items = this.stack.splice(mark) as PickleValue[];
    items.shift();
    return items;
  }

  private recall(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) throw this.error(`it recalls value ${index}, which it never stored`);
    return value;
  }

  /** Start of the next `length` bytes, which are then behind. */
  private take(length: number): number {
    const start = this.at;
    if (start + length > this.bytes.length) throw this.error("it ends in the middle");
    this.at = start + length;
    return start;
  }

  private byte(): number {
    return this.bytes[this.take(1)] as number;
  }

  /** A length of 8 bytes; one beyond the pickle is refused by whoever takes so many. */
  private length8(): number {
    return Number(this.view.getBigUint64(this.take(8), true));
  }

  private slice(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.slice(start, start + length);
  }

  private decode(length: number): string {
    const start = this.take(length);
    try {
      return utf8.decode(this.bytes.subarray(start, start + length));
    } catch {
      throw this.error("text that is not UTF-8");
    }
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0 || end - this.at > 1024) throw this.error("a global whose name does not end");
    const name = this.decode(end - this.at);
    this.at = end + 1;
    return name;
  }

  private error(what: string): FileError {
    return new FileError(`${this.rules.label}: ${what}`);
  }
}
