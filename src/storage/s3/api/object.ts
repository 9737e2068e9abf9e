// Objects, as a store answers with them: their headers, their content, some of their bytes. An answer that leaves out
// what it has to say, or contradicts what was asked for, is refused and never taken for an object.
import { limits } from "../../../base/limits.ts";
import { formatBytes } from "../../../base/units.ts";
import { contentSumOf, ofWholeObject } from "./checksum.ts";
import { impossible, type S3Request, unexpected, wrongAnswer } from "./client.ts";
import { isCount, unquoted } from "./page.ts";
import type { HttpResponse } from "./transport.ts";

export interface S3Object {
  readonly key: string;
  readonly bytes: number;
  /** The etag without its quotes. */
  readonly etag: string;
}

export interface S3Head extends S3Object {
  /** Our metadata: names without "x-amz-meta-", in lower case. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly headers: HttpResponse["headers"];
}

/** The version of an object that is read. */
export type S3Version = Pick<S3Object, "etag" | "bytes">;

/** Some of an object's bytes, or why there are none. */
export type S3Range =
  | { readonly kind: "bytes"; readonly bytes: Buffer; readonly headers: HttpResponse["headers"] }
  | { readonly kind: "changed" }
  | { readonly kind: "gone" };

/** The object that an answer to HEAD describes. */
export function headOf(request: S3Request, response: HttpResponse): S3Head {
  const { headers } = response;
  const length = headers["content-length"];
  if (length === undefined || !isCount(length)) throw wrongAnswer(request, response, "does not say how long it is");
  const metadata = new Map(
    Object.entries(headers)
      .filter(([name]) => name.startsWith("x-amz-meta-"))
      .map(([name, value]) => [name.slice("x-amz-meta-".length), value]),
  );
  return { key: request.url.key, bytes: Number(length), etag: tagOf(request, response), metadata, headers };
}

/** The content in an answer to GET, with every check that is possible. */
export function contentOf(
  request: S3Request,
  response: HttpResponse,
): { readonly bytes: Buffer; readonly etag: string } {
  if (response.isCut === true) {
    throw impossible(request, response, `it has more than ${formatBytes(limits.storeWholeBytesMax)}`);
  }
  const { headers, body: bytes } = response;
  const etag = tagOf(request, response);
  const sum = contentSumOf(headers, etag, undefined);
  sum?.update(bytes);
  const difference = sum?.difference();
  if (difference !== undefined) throw wrongAnswer(request, response, `other bytes came: ${difference}`);
  const isBounded = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
  if (sum === undefined && !isBounded) throw wrongAnswer(request, response, "nothing says where it ends");
  return { bytes, etag };
}

/** What an answer to GET for bytes [start, end) of this version holds. */
export function rangeOf(
  request: S3Request,
  response: HttpResponse,
  version: S3Version,
  start: number,
  end: number,
): S3Range {
  // 416: it is shorter than it was.
  if (response.status === 412 || response.status === 416) return { kind: "changed" };
  if (response.status === 404) return { kind: "gone" };
  const { status, headers, body: bytes } = response;
  if (status !== 206 && status !== 200) throw unexpected(request, response);
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers["content-range"] ?? "");
  if (status === 206 && range === null) throw wrongAnswer(request, response, "does not say which bytes these are");
  const total = status === 206 ? range![3] : headers["content-length"];
  if (total === undefined) throw wrongAnswer(request, response, "does not say how long it is");
  if (tagOf(request, response) !== version.etag || Number(total) !== version.bytes) return { kind: "changed" };
  if (status === 200 && start > 0) throw impossible(request, response, "with the whole object: it gives no ranges");
  if (status === 206) {
    const [first, last] = [Number(range![1]), Number(range![2])];
    if (first !== start || last < first || last >= Math.min(end, version.bytes)) {
      throw wrongAnswer(request, response, `with bytes ${first} to ${last}, not from ${start} to ${end - 1}`);
    }
    const promised = last + 1 - start;
    if (bytes.length !== promised) {
      throw wrongAnswer(request, response, `with ${bytes.length} bytes where ${promised} were announced`);
    }
  } else if (bytes.length !== Math.min(end, version.bytes)) {
    throw wrongAnswer(request, response, `with ${bytes.length} bytes where ${version.bytes} were announced`);
  }
  return { kind: "bytes", bytes, headers: status === 206 ? ofWholeObject(headers) : headers };
}

export function tagOf(request: S3Request, response: HttpResponse): string {
  const etag = unquoted(response.headers["etag"] ?? "");
  if (etag === "") throw wrongAnswer(request, response, "no etag came with it");
  return etag;
}
