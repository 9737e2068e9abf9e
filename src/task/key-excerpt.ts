// A key, given as bytes, as people may see it.
import { keyExcerptOf } from "../base/excerpt.ts";
import type { JobDefinition } from "../job/definition.ts";
import { refusePromise } from "./user/late-calls.ts";

/**
 * An excerpt of an encoded key, or of the part of it by which a reduce groups. Never throws: a codec of the job's own
 * that can't read what it has written is found by the reduce.
 */
export function encodedKeyExcerpt({ group, key, reduce }: JobDefinition, bytes: Uint8Array): string {
  const codec = reduce === undefined ? key : (group?.key ?? key);
  // A copy that is no Buffer: a codec may keep it, and call `slice` for a copy.
  const own = Uint8Array.from(bytes);
  try {
    return keyExcerptOf(refusePromise<unknown>(codec.read(own), "read of the key's codec"));
  } catch {
    return keyExcerptOf(own);
  }
}
