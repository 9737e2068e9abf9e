// What an object store can do, as far as input and output need it. Every method may be called again when it is not known whether
// an earlier call had its effect; who has to tell looks.
import { MiB } from "../base/limits.ts";
import type { S3Client, S3Request } from "./s3-client.ts";
import { codeOf, unexpected } from "./s3-client.ts";
import { S3Error } from "./s3-error.ts";
import type { S3Place } from "./s3-place.ts";
import type { HttpResponse, S3Body } from "./s3-transport.ts";
import { elements, escapeXml, textOf } from "./s3-xml.ts";

export interface S3Object {
  readonly key: string;
  readonly bytes: number;
  /** Without its quotes. */
  readonly etag: string;
}

/** Of an upload. */
export interface S3Part {
  readonly number: number;
  readonly bytes: number;
  readonly etag: string;
}

export interface S3Head extends S3Object {
  /** Of ours: names without "x-amz-meta-", in lower case. */
  readonly metadata: ReadonlyMap<string, string>;
}

export interface S3Listed {
  readonly objects: readonly S3Object[];
  /** With a delimiter: what lies between the prefix and the next delimiter, with both. */
  readonly prefixes: readonly string[];
}

export interface PutOptions {
  /** Only where there is no object, or only over this one. A store that doesn't know the condition puts always. */
  readonly ifNoneMatch?: true;
  readonly ifMatch?: string;
}

/** Bytes of a manifest, claim or record, which are read whole. */
const wholeBytesMax = 256 * MiB;
/** A page of a thousand parts has a fifth of that. */
const listBytesMax = 1 * MiB;

export class S3Objects {
  readonly #client: S3Client;

  constructor(client: S3Client) {
    this.#client = client;
  }

  async head(place: S3Place): Promise<S3Head | undefined> {
    const request: S3Request = { method: "HEAD", place };
    const response = await this.#client.send(request);
    if (response.status === 404) return undefined;
    if (response.status !== 200) throw unexpected(request, response);
    const metadata = new Map(
      Object.entries(response.headers)
        .filter(([name]) => name.startsWith("x-amz-meta-"))
        .map(([name, value]) => [name.slice("x-amz-meta-".length), value]),
    );
    return { key: place.key, ...sizeAndTag(request, response), metadata };
  }

  /** All of a small object. */
  async get(place: S3Place): Promise<{ readonly bytes: Buffer; readonly etag: string } | undefined> {
    const request: S3Request = { method: "GET", place, bytesMax: wholeBytesMax };
    const response = await this.#client.send(request);
    if (response.status === 404 && codeOf(response) !== "NoSuchBucket") return undefined;
    if (response.status !== 200) throw unexpected(request, response);
    return { bytes: response.body, etag: tagOf(response) };
  }

  /**
   * Bytes [start, end) of this version of an object; "changed" when it is another now, "gone" when there is none. May be more
   * or fewer than asked for: not every store takes every range.
   */
  async range(
    place: S3Place,
    version: { readonly etag: string; readonly bytes: number },
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): Promise<Buffer | "changed" | "gone"> {
    const request: S3Request = {
      method: "GET",
      place,
      headers: { range: `bytes=${start}-${end - 1}`, "if-match": `"${version.etag}"` },
      bytesMax: end - start,
      signal,
    };
    const response = await this.#client.send(request);
    // 416: it is shorter than it was.
    if (response.status === 412 || response.status === 416) return "changed";
    if (response.status === 404) return "gone";
    if (response.status !== 206 && !(response.status === 200 && start === 0)) throw unexpected(request, response);
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers["content-range"] ?? "");
    const total = response.status === 200 ? response.headers["content-length"] : range?.[2];
    if (tagOf(response) !== version.etag || Number(total) !== version.bytes) return "changed";
    if (response.status === 206 && Number(range?.[1]) !== start) throw unexpected(request, response);
    return response.body;
  }

  /** All objects whose keys begin with `prefix`, in pages; with a delimiter, those of one level. */
  async *list(
    bucket: string,
    prefix: string,
    options: { readonly delimiter?: string; readonly limit?: number } = {},
  ): AsyncGenerator<S3Listed, void, undefined> {
    let token: string | undefined;
    do {
      const request: S3Request = {
        method: "GET",
        place: { bucket, key: "" },
        query: {
          "list-type": "2",
          "encoding-type": "url",
          prefix,
          ...(options.delimiter === undefined ? {} : { delimiter: options.delimiter }),
          ...(options.limit === undefined ? {} : { "max-keys": String(options.limit) }),
          ...(token === undefined ? {} : { "continuation-token": token }),
        },
      };
      const response = await this.#client.send(request);
      if (response.status !== 200) throw unexpected(request, response);
      const page = pageOf(request, response);
      yield page;
      if (page.next !== undefined && page.next === token)
        throw new S3Error(response.status, "", `listing s3://${bucket}/${prefix} goes round in circles`, false);
      token = page.next;
    } while (token !== undefined);
  }

  /** All of `list`, at once. */
  async listAll(bucket: string, prefix: string): Promise<S3Object[]> {
    const all: S3Object[] = [];
    for await (const { objects } of this.list(bucket, prefix)) all.push(...objects);
    return all;
  }

  /** False when the condition was not met: by another's object, or by ours, when the answer to an earlier try was lost. */
  async put(place: S3Place, content: Uint8Array, options: PutOptions = {}): Promise<boolean> {
    const request: S3Request = {
      method: "PUT",
      place,
      headers: {
        "content-type": "application/octet-stream",
        ...(options.ifNoneMatch === true ? { "if-none-match": "*" } : {}),
        ...(options.ifMatch === undefined ? {} : { "if-match": `"${options.ifMatch}"` }),
      },
      body: bodyOf(content),
    };
    const response = await this.#client.send(request);
    if (response.status === 412 || (response.status === 404 && options.ifMatch !== undefined)) return false;
    if (response.status !== 200) throw unexpected(request, response);
    return true;
  }

  /** Where there is none, nothing happens; with a version, also where it is another (on stores that know the condition). */
  async remove(place: S3Place, etag?: string): Promise<void> {
    const request: S3Request = {
      method: "DELETE",
      place,
      ...(etag === undefined ? {} : { headers: { "if-match": `"${etag}"` } }),
    };
    const response = await this.#client.send(request);
    if (![200, 204, 404, 412].includes(response.status)) throw unexpected(request, response);
  }

  // ── uploads: an object that appears when it is completed ───────────────────

  async createUpload(place: S3Place, metadata: Readonly<Record<string, string>>): Promise<string> {
    const headers = Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]);
    const request: S3Request = {
      method: "POST",
      place,
      query: { uploads: "" },
      headers: { "content-type": "application/octet-stream", ...Object.fromEntries(headers) },
    };
    const response = await this.#client.send(request);
    const upload = response.status === 200 ? textOf(response.body.toString("utf8"), "UploadId") : undefined;
    if (upload === undefined) throw unexpected(request, response);
    return upload;
  }

  /** Returns the part's etag. */
  async uploadPart(place: S3Place, upload: string, number: number, body: S3Body): Promise<string> {
    const request: S3Request = {
      method: "PUT",
      place,
      query: { partNumber: String(number), uploadId: upload },
      body,
    };
    const response = await this.#client.send(request);
    if (response.status !== 200) throw unexpected(request, response);
    return tagOf(response);
  }

  /**
   * The parts that an upload has; "gone": there is no such upload (any more), completed, aborted or expired; "unknown": the store
   * doesn't answer that, or not to these credentials.
   */
  async listParts(place: S3Place, upload: string): Promise<readonly S3Part[] | "gone" | "unknown"> {
    const parts: S3Part[] = [];
    for (let after: string | undefined; ; ) {
      const request: S3Request = {
        method: "GET",
        place,
        query: { uploadId: upload, ...(after === undefined ? {} : { "part-number-marker": after }) },
      };
      const response = await this.#client.send(request);
      if (response.status === 404 && codeOf(response) === "NoSuchUpload") return "gone";
      // A store that doesn't know the request may answer anything, the object itself or its absence too.
      const xml = response.body.subarray(0, listBytesMax).toString("utf8");
      if (response.status !== 200 || !/<ListPartsResult[\s>]/.test(xml)) return "unknown";
      for (const part of elements(xml, "Part")) {
        const [number, bytes] = [Number(textOf(part, "PartNumber")), Number(textOf(part, "Size"))];
        parts.push({ number, bytes, etag: unquoted(textOf(part, "ETag") ?? "") });
      }
      const next = textOf(xml, "IsTruncated") === "true" ? textOf(xml, "NextPartNumberMarker") : undefined;
      if (next === undefined || next === after) return parts;
      after = next;
    }
  }

  /** False: there is no such upload (any more): completed already, aborted, or expired. */
  async completeUpload(place: S3Place, upload: string, etags: readonly string[]): Promise<boolean> {
    const parts = etags.map(
      (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(`"${etag}"`)}</ETag></Part>`,
    );
    const request: S3Request = {
      method: "POST",
      place,
      query: { uploadId: upload },
      headers: { "content-type": "application/xml" },
      body: bodyOf(Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`)),
    };
    const response = await this.#client.send(request);
    if (response.status === 404) return false;
    if (response.status !== 200) throw unexpected(request, response);
    return true;
  }

  /** Where there is no such upload, nothing happens. Objects are never touched. */
  async abortUpload(place: S3Place, upload: string): Promise<void> {
    const request: S3Request = { method: "DELETE", place, query: { uploadId: upload } };
    const response = await this.#client.send(request);
    if (![200, 204, 404].includes(response.status)) throw unexpected(request, response);
  }
}

export function bodyOf(content: Uint8Array): S3Body {
  return { bytes: content.length, chunks: () => [content] };
}

function pageOf(request: S3Request, response: HttpResponse): S3Listed & { readonly next: string | undefined } {
  const xml = response.body.toString("utf8");
  if (!/<ListBucketResult[\s>]/.test(xml)) throw unexpected(request, response);
  const isEncoded = textOf(xml, "EncodingType") === "url";
  const decoded = (key: string | undefined) =>
    key === undefined || !isEncoded ? (key ?? "") : decodeURIComponent(key.replaceAll("+", " "));
  const objects = elements(xml, "Contents").map((entry) => ({
    key: decoded(textOf(entry, "Key")),
    bytes: Number(textOf(entry, "Size")),
    etag: unquoted(textOf(entry, "ETag") ?? ""),
  }));
  const prefixes = elements(xml, "CommonPrefixes").map((entry) => decoded(textOf(entry, "Prefix")));
  if (objects.some(({ bytes }) => !Number.isSafeInteger(bytes))) throw unexpected(request, response);
  const isMore = textOf(xml, "IsTruncated") === "true";
  const next = isMore ? textOf(xml, "NextContinuationToken") : undefined;
  if (isMore && next === undefined) throw unexpected(request, response);
  return { objects, prefixes, next };
}

function sizeAndTag(request: S3Request, response: HttpResponse): { readonly bytes: number; readonly etag: string } {
  const bytes = Number(response.headers["content-length"]);
  if (!Number.isSafeInteger(bytes)) throw unexpected(request, response);
  return { bytes, etag: tagOf(response) };
}

function tagOf({ headers }: HttpResponse): string {
  return unquoted(headers["etag"] ?? "");
}

function unquoted(etag: string): string {
  return etag.replace(/^"(.*)"$/, "$1");
}
