// The name of a blob: its SHA-256. Whoever takes one checks it before a path or a URL is made of it (S8).
import { MillraceError } from "../base/error.ts";

/** The name as it was given. Throws `wrong-usage` for anything but 64 hexadecimal digits in small letters. */
export function blobName(sha256: string): string {
  if (/^[0-9a-f]{64}$/.test(sha256)) return sha256;
  throw new MillraceError(
    "wrong-usage",
    `${JSON.stringify(sha256.slice(0, 80))} names no blob: a blob is named by its SHA-256, 64 hexadecimal digits in small letters`,
  );
}
