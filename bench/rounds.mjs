// Contestants in rotation: each round runs every one of them once, so that a slow minute slows them all.
import { rmSync } from "node:fs";
import { fingerprint } from "./compare.mjs";
import { bytesBelow, measure } from "./measure.mjs";

/**
 * A warm-up round, in which the results are compared with the first contestant's, then `bench.rounds` measured ones.
 * Resolves to { results, trouble } by name: one result per round, or why there is none (not installed, failed, another
 * result). A contestant in trouble takes no part in the rounds that follow; the others go on. Rejects only when
 * interrupted.
 */
export async function rounds(contestants, bench, count = bench.rounds) {
  const all = new Map(contestants.map(({ name, absent }) => [name, { results: [], trouble: absent }]));
  let reference;
  for (let round = -1; round < count; round++) {
    for (const contestant of contestants) {
      const own = all.get(contestant.name);
      if (own.trouble !== undefined) continue;
      const at = round < 0 ? "warm-up" : `round ${round + 1}`;
      remove(contestant);
      try {
        const result = await measure(contestant, bench.signal);
        if (contestant.output !== undefined) result.publishedBytes = bytesBelow(contestant.output);
        if (round >= 0) own.results.push(result);
        bench.log(
          `${at} ${contestant.name}: ${result.seconds.toFixed(2)} s, ${(result.peakBytes / 2 ** 20).toFixed(0)} MiB`,
        );
        if (round < 0 && contestant.order !== undefined) {
          const print = await fingerprint(contestant.output, contestant.order);
          reference ??= { name: contestant.name, print };
          if (print !== reference.print) {
            own.trouble = `another result than ${reference.name}'s`;
            bench.mistakes.push(`${contestant.name}: ${own.trouble}`);
          }
        }
      } catch (error) {
        bench.signal.throwIfAborted();
        own.trouble = `failed: ${error.message.split("\n").at(-1).slice(0, 120)}`;
        if (contestant === contestants[0]) bench.mistakes.push(`${contestant.name}: ${own.trouble}`);
        bench.log(`${at} ${contestant.name}: ${error.message}`);
      } finally {
        remove(contestant);
      }
    }
  }
  return all;
}

function remove({ output, temporary = [] }) {
  for (const path of [output, ...temporary]) if (path !== undefined) rmSync(path, { recursive: true, force: true });
}
