// Where two results differ first, in terms of files, bytes and lines, with what stands there.
import { formatCount } from "../../base/units.ts";
import { contentOf, isSurelySame, type Published, type Unit, unitsOf } from "./content.ts";

export interface Difference {
  /** "part-00000.tsv, byte 1,234 (line 57)". */
  readonly where: string;
  readonly usual: string;
  readonly other: string;
}

/** Undefined: every output has the same content. */
export async function differenceBetween(usual: Published, other: Published): Promise<Difference | undefined> {
  const [units, others] = [unitsOf(usual), unitsOf(other)];
  for (const [key, unit] of units) {
    const match = others.get(key);
    if (match === undefined) return { where: unit.name, usual: "is there", other: "is missing" };
    if (isSurelySame(unit, match)) continue;
    const difference = await unitDifference(usual, unit, other, match);
    if (difference !== undefined) return difference;
  }
  for (const [key, { name }] of others) {
    if (!units.has(key)) return { where: name, usual: "is missing", other: "is there" };
  }
  return undefined;
}

async function unitDifference(
  usual: Published,
  unit: Unit,
  other: Published,
  match: Unit,
): Promise<Difference | undefined> {
  const parts: { readonly name: string; readonly at: number }[] = [];
  const mine = contentOf(usual, unit, ({ name }, at) => parts.push({ name, at }));
  const found = await firstDifference(
    mine,
    contentOf(other, match, () => {}),
  );
  if (found === undefined) return undefined;
  const part = parts.findLast(({ at }) => at <= found.at);
  const inPart = unit.files.length > 1 && part !== undefined ? `, in ${part.name}` : "";
  return {
    where: `${unit.files.length === 1 ? unit.files[0]!.name : unit.name}, byte ${formatCount(found.at)} (line ${formatCount(found.line)}${inPart})`,
    usual: found.a,
    other: found.b,
  };
}

export interface FirstDifference {
  /** Offset of the first byte that differs; the shorter one's length where it is the beginning of the other. */
  readonly at: number;
  /** From 1. */
  readonly line: number;
  /** The lines that it is in, or as much of them as is near. */
  readonly a: string;
  readonly b: string;
}

/** How much of a line is shown on each side of the difference. */
const nearBytes = 60;

/** Undefined: the contents are equal. */
export async function firstDifference(
  a: AsyncIterable<Uint8Array>,
  b: AsyncIterable<Uint8Array>,
): Promise<FirstDifference | undefined> {
  const [left, right] = [new Window(a), new Window(b)];
  let at = 0;
  let line = 1;
  try {
    for (;;) {
      const [x, y] = [await left.filled(), await right.filled()];
      const length = Math.min(x.length, y.length);
      let same = 0;
      while (same < length && x[same] === y[same]) same++;
      for (let i = 0; i < same; i++) if (x[i] === 10) line++;
      at += same;
      if (same < length || x.length === 0 || y.length === 0) {
        if (x.length === same && y.length === same) return undefined;
        left.take(same);
        right.take(same);
        return { at, line, a: await left.excerpt(), b: await right.excerpt() };
      }
      left.take(same);
      right.take(same);
    }
  } finally {
    await left.close();
    await right.close();
  }
}

/** Goes over a content and remembers the last bytes that it has passed. */
class Window {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #passed: Buffer = Buffer.alloc(0);
  #ahead: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** What comes next, at least `bytes` of it unless there is less. */
  async filled(bytes = 1): Promise<Buffer> {
    while (this.#ahead.length < bytes) {
      const next = await this.#chunks.next();
      if (next.done === true) break;
      // A copy: a chunk is valid until the next is asked for.
      this.#ahead = Buffer.concat([this.#ahead, next.value]);
    }
    return this.#ahead;
  }

  take(bytes: number): void {
    this.#passed = Buffer.concat([this.#passed, this.#ahead.subarray(0, bytes)]).subarray(-nearBytes);
    this.#ahead = this.#ahead.subarray(bytes);
  }

  /** The line around here. */
  async excerpt(): Promise<string> {
    const ahead = (await this.filled(nearBytes + 1)).subarray(0, nearBytes + 1);
    if (ahead.length === 0) return "nothing more";
    const begin = this.#passed.lastIndexOf(10) + 1;
    const end = ahead.indexOf(10);
    const before = begin === 0 && this.#passed.length === nearBytes ? "…" : "";
    const after = end < 0 && ahead.length > nearBytes ? "…" : "";
    const bytes = Buffer.concat([
      this.#passed.subarray(begin),
      end < 0 ? ahead.subarray(0, nearBytes) : ahead.subarray(0, end),
    ]);
    const text = bytes.toString("utf8");
    // Cut characters at both ends become replacement characters; more than those means that it is no text.
    const isText = (text.match(/\ufffd/g)?.length ?? 0) <= 6 && !text.includes("\0");
    return before + (isText ? text : `0x${bytes.toString("hex")}`) + after;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
