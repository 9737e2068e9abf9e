// By what a whole object is known, from what the store says of it: its reader learns whether what came is what was stored. Ranges have
// nothing of the kind (docs/storage.md).
import { createHash } from "node:crypto";
import { crc32Of } from "../base/checksum.ts";

/** Of an object's bytes, in order. */
export interface ContentSum {
  update(chunk: Uint8Array): void;
  /** After the last byte: what differs, in words; undefined: nothing does. */
  difference(): string | undefined;
}

/** What is kept with each file of an output of ours, beside its bytes. */
export const sha256Header = "x-amz-meta-millrace-sha256";
/** Asks for the checksums that the store has. */
export const checksumRequest = { "x-amz-checksum-mode": "ENABLED" } as const;

/**
 * The best that there is, undefined where there is nothing: a SHA-256 that is known from elsewhere (a manifest), our own, one of the
 * store's checksums, or an etag that is the content's MD5. `headers` are those of an answer with the object's bytes, or some of them.
 */
export function contentSumOf(
  headers: Readonly<Record<string, string>>,
  etag: string,
  sha256: string | undefined,
): ContentSum | undefined {
  if (sha256 !== undefined) return hashSum("SHA-256", "sha256", sha256, "hex");
  const ours = headers[sha256Header];
  if (ours !== undefined && /^[0-9a-f]{64}$/.test(ours)) return hashSum("SHA-256", "sha256", ours, "hex");
  // Of an upload in parts the store has either the whole's, or one of the parts' ("…-3").
  const isOfAll = (headers["x-amz-checksum-type"] ?? "FULL_OBJECT") === "FULL_OBJECT";
  const stored = (name: string, length: number) => {
    const value = isOfAll ? headers[`x-amz-checksum-${name}`] : undefined;
    return value !== undefined && /^[A-Za-z0-9+/]+=*$/.test(value) && value.length === length ? value : undefined;
  };
  const storedSha256 = stored("sha256", 44);
  if (storedSha256 !== undefined) return hashSum("SHA-256", "sha256", storedSha256, "base64");
  const storedSha1 = stored("sha1", 28);
  if (storedSha1 !== undefined) return hashSum("SHA-1", "sha1", storedSha1, "base64");
  if (isMd5(etag, headers)) return hashSum("MD5 (its etag)", "md5", etag.toLowerCase(), "hex");
  const storedCrc = stored("crc32", 8);
  return storedCrc === undefined ? undefined : crcSum(storedCrc);
}

/** Etags of uploads in parts and of what is encrypted with keys of its own are something else. */
function isMd5(etag: string, headers: Readonly<Record<string, string>>): boolean {
  if (!/^[0-9a-f]{32}$/i.test(etag)) return false;
  const encryption = headers["x-amz-server-side-encryption"] ?? "AES256";
  const isOwnKey = Object.keys(headers).some((name) => /-encryption-(?:customer|kms|aws-kms|context)/.test(name));
  return encryption === "AES256" && !isOwnKey;
}

function hashSum(name: string, algorithm: string, expected: string, encoding: "hex" | "base64"): ContentSum {
  const hash = createHash(algorithm);
  return {
    update: (chunk) => void hash.update(chunk),
    difference: () => differing(name, hash.digest(encoding), expected),
  };
}

function crcSum(expected: string): ContentSum {
  let crc = 0;
  return {
    update: (chunk) => {
      crc = crc32Of(chunk, crc);
    },
    difference: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(crc);
      return differing("CRC-32", bytes.toString("base64"), expected);
    },
  };
}

function differing(name: string, found: string, expected: string): string | undefined {
  return found === expected ? undefined : `their ${name} is ${found}, and has to be ${expected}`;
}
