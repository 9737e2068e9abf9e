// What a new leader has to know of large values: which records have theirs in parts. Parts that no record names, of a
// commit that was never finished, are removed.

import type { LargeValues } from "./batches.ts";
import { behind, type PartsName, unseal } from "./layout.ts";
import { remove } from "./requests.ts";
import type { ScanParts } from "./scan.ts";
import type { Writer } from "./writer.ts";

/** Keys of parts that are asked for at once. */
const keysAtOnce = 5_000;

export async function findLarge(parts: ScanParts, writer: Writer, large: LargeValues): Promise<void> {
  for (const name of await namesOf(parts)) {
    if ((await idOf(parts, name.key)) === name.id) large.note(name);
    else {
      const prefix = parts.layout.partsOf(name);
      await writer.write([remove(prefix, behind(prefix))]);
    }
  }
}

/** The values that have parts. */
async function namesOf({ members, layout, signal }: ScanParts): Promise<Iterable<PartsName>> {
  const names = new Map<string, PartsName>();
  let from = layout.parts;
  for (;;) {
    const range = { key: from, rangeEnd: behind(layout.parts), limit: BigInt(keysAtOnce), keysOnly: true };
    const { kvs, more } = await members.call(({ kv }, options) => kv.range(range, options), { signal });
    for (const { key } of kvs) {
      const name = layout.nameOf(key);
      names.set(`${name.id}\0${name.key}`, name);
    }
    const last = kvs.at(-1);
    if (!more || last === undefined) return names.values();
    from = Buffer.concat([last.key, Buffer.of(0)]);
  }
}

/** Which parts the record names; undefined: none. */
async function idOf({ members, layout, signal }: ScanParts, key: string): Promise<string | undefined> {
  const record = layout.record(key);
  const { kvs } = await members.call(({ kv }, options) => kv.range({ key: record }, options), { signal });
  if (kvs[0] === undefined) return undefined;
  const sealed = unseal(key, kvs[0].value);
  return sealed.kind === "parts" ? sealed.list.id : undefined;
}
