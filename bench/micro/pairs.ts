// Words and attempts that several micro-benchmarks use.

import type { ByteWriter } from "../../src/base/bytes/bytes.ts";
import type { AttemptId } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import type { Codec } from "../../src/job/codec.ts";

/** A codec of a type that only its own benchmark case knows. */
export interface AnyCodec extends Omit<Codec<unknown>, "write"> {
  write(value: never, out: ByteWriter): void;
}

/** `count` words of 2 to 11 letters, from a vocabulary of `distinct` words, of which a few are frequent. */
export function wordList(count: number, distinct: number): string[] {
  const random = seededRandom(1, 1);
  const below = (n: number) => Math.floor(random() * n);
  const letters = (n: number) => String.fromCharCode(...Array.from({ length: n }, () => 97 + below(26)));
  const vocabulary = Array.from({ length: distinct }, () => letters(2 + below(5) + below(6)));
  return Array.from({ length: count }, () => vocabulary[Math.floor(distinct ** random()) - 1] ?? vocabulary[0]!);
}

export const attempt: AttemptId = { job: "bench", phase: "map", index: 0, epoch: 1, attempt: 1 };
