// "s3://bucket/key": the object or folder that a path means. Keys are written as they are, without percent-encoding.
import { MillraceError } from "../../base/error.ts";
import { showPath } from "../local/fs.ts";

export interface S3Url {
  readonly bucket: string;
  /** "" is the bucket itself; a key that ends with a slash is a folder. */
  readonly key: string;
}

/** Amazon's limit; other stores allow less. */
const keyBytesMax = 1024;

/** Throws `wrong-usage` for a path that no request can name. */
export function parseS3(path: string): S3Url {
  const match = /^s3:\/\/([^/]*)(?:\/(.*))?$/is.exec(path);
  if (match === null) throw wrong(path, "it has to look like s3://BUCKET/KEY");
  const [, bucket = "", key = ""] = match;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(bucket)) {
    throw wrong(path, `${JSON.stringify(bucket)} can't be a bucket's name`);
  }
  if (key.split("/").some((segment) => segment === "." || segment === "..")) {
    // HTTP clients and servers resolve them like folders, so the request would be for another object.
    throw wrong(path, `a part of it is "." or "..", which a request can't carry`);
  }
  if (/\p{Surrogate}/u.test(key)) throw wrong(path, "it holds half a character (a lone surrogate)");
  if (Buffer.byteLength(key) > keyBytesMax) throw wrong(path, `its key has more than ${keyBytesMax} bytes`);
  return { bucket, key };
}

export function s3Path({ bucket, key }: S3Url): string {
  return `s3://${bucket}/${key}`;
}

/** Encodes as RFC 3986 says and Amazon's signatures require; slashes stay. */
export function encodeKey(key: string): string {
  return key.split("/").map(encodeStrictly).join("/");
}

export function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function wrong(path: string, why: string): MillraceError {
  return new MillraceError("wrong-usage", `${showPath(path)} is no path of an object store: ${why}.`);
}
