// Checks whole objects against the checksums that the store gives, so that the reader of an object learns whether it
// got what was stored. Ranges have no checksums (docs/storage.md).
import { createHash } from "node:crypto";
import { crc32Of } from "../../../base/bytes/checksum.ts";
import { crc32cOf } from "../../../base/bytes/crc32c.ts";
import { type Crc64, crc64nvmeOf } from "../../../base/bytes/crc64nvme.ts";

/** A running checksum of an object's bytes, in order. */
export interface ContentSum {
  update(chunk: Uint8Array): void;
  /** Called after the last byte. Says in words what differs; undefined: nothing does. */
  difference(): string | undefined;
}

/** The header of the SHA-256 that is kept with each file of an output of ours. */
export const sha256Header = "x-amz-meta-millrace-sha256";
/** Asks for the checksums that the store has. */
export const checksumRequest = { "x-amz-checksum-mode": "ENABLED" } as const;

/**
 * Takes the best checksum that there is, or returns undefined: a SHA-256 that is known from elsewhere (a manifest), our
 * own, one of the store's checksums, or an etag that is the content's MD5. `headers` are some or all of those of an
 * answer about the whole object.
 */
export function contentSumOf(
  headers: Readonly<Record<string, string>>,
  etag: string,
  sha256: string | undefined,
): ContentSum | undefined {
  if (sha256 !== undefined) return hashSum("SHA-256", "sha256", sha256, "hex");
  const ours = headers[sha256Header];
  if (ours !== undefined && /^[0-9a-f]{64}$/.test(ours)) return hashSum("SHA-256", "sha256", ours, "hex");
  const storedSha256 = storedOf(headers, "sha256", 32);
  if (storedSha256 !== undefined) return hashSum("SHA-256", "sha256", storedSha256, "base64");
  const storedSha1 = storedOf(headers, "sha1", 20);
  if (storedSha1 !== undefined) return hashSum("SHA-1", "sha1", storedSha1, "base64");
  if (isMd5(etag, headers)) return hashSum("MD5 (its etag)", "md5", etag.toLowerCase(), "hex");
  const crc64 = storedOf(headers, "crc64nvme", 8);
  if (crc64 !== undefined) return crc64Sum(crc64);
  const crc32 = storedOf(headers, "crc32", 4);
  if (crc32 !== undefined) return crcSum("CRC-32", crc32Of, crc32);
  const crc32c = storedOf(headers, "crc32c", 4);
  return crc32c === undefined ? undefined : crcSum("CRC-32C", crc32cOf, crc32c);
}

/**
 * For an upload in parts the store has either the whole's checksum, or one of the parts' checksums, which is of no use
 * to a reader that has only the bytes: its type is "COMPOSITE", or it ends with "-" and the number of parts.
 */
function storedOf(headers: Readonly<Record<string, string>>, name: string, bytes: number): string | undefined {
  if ((headers["x-amz-checksum-type"] ?? "FULL_OBJECT").toUpperCase() !== "FULL_OBJECT") return undefined;
  const value = headers[`x-amz-checksum-${name}`];
  if (value === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return undefined;
  const decoded = Buffer.from(value, "base64");
  return decoded.length === bytes && decoded.toString("base64") === value ? value : undefined;
}

/**
 * The headers of an answer with a part of an object that are about the whole object. A checksum among them is the
 * whole's, or the part's, or one of checksums without its number, depending on the store and on where its parts begin
 * (boto/botocore issue 3346).
 */
export function ofWholeObject(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("x-amz-checksum-")));
}

/**
 * Whether the etag is an MD5. Etags of uploads in parts, and of objects encrypted with keys of their own, are something
 * else.
 */
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

function crcSum(name: string, crcOf: (bytes: Uint8Array, before: number) => number, expected: string): ContentSum {
  let crc = 0;
  return {
    update: (chunk) => {
      crc = crcOf(chunk, crc);
    },
    difference: () => differing(name, base64Of([crc]), expected),
  };
}

function crc64Sum(expected: string): ContentSum {
  let crc: Crc64 = { high: 0, low: 0 };
  return {
    update: (chunk) => {
      crc = crc64nvmeOf(chunk, crc);
    },
    difference: () => differing("CRC-64/NVME", base64Of([crc.high, crc.low]), expected),
  };
}

function base64Of(words: readonly number[]): string {
  const bytes = Buffer.alloc(4 * words.length);
  words.forEach((word, index) => void bytes.writeUInt32BE(word, 4 * index));
  return bytes.toString("base64");
}

function differing(name: string, found: string, expected: string): string | undefined {
  return found === expected ? undefined : `their ${name} is ${found}, and has to be ${expected}`;
}
