import { createHash } from "node:crypto";
import { MillraceError } from "../../src/base/error.ts";
import { blobName } from "../../src/protocol/blob-name.ts";
import type { Blobs } from "../../src/protocol/services.ts";

/** Blobs on the heap, with the checks that every keeper of blobs makes. */
export function memoryBlobs(kept: Map<string, Buffer> = new Map()): Blobs & { readonly kept: Map<string, Buffer> } {
  return {
    kept,
    has: async (sha256) => kept.has(blobName(sha256)),
    async put(sha256, content, bytesMax, signal) {
      blobName(sha256);
      const parts: Uint8Array[] = [];
      let bytes = 0;
      for await (const part of content) {
        signal?.throwIfAborted();
        bytes += part.length;
        if (bytes > bytesMax) throw new MillraceError("over-limit", `a blob of more than ${bytesMax} bytes`);
        parts.push(part);
      }
      const whole = Buffer.concat(parts);
      if (sha256Of(whole) !== sha256) throw new MillraceError("corrupt-run", "the content is another");
      kept.set(sha256, whole);
    },
    async get(sha256) {
      const content = kept.get(blobName(sha256));
      if (content === undefined) throw new MillraceError("bad-input", `no blob ${sha256}`);
      return (async function* () {
        for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
      })();
    },
  };
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
