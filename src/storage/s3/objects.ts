// The operations of an object store that input and output need. Every method may be called again when it is not known
// whether an earlier call had its effect; a caller that has to know looks.
import { limits, MiB } from "../../base/limits.ts";
import { checksumRequest } from "./api/checksum.ts";
import type { S3Client, S3Request, S3Waiting } from "./api/client.ts";
import { codeOf, documentOf, unexpected, wrongAnswer } from "./api/client.ts";
import {
  contentOf,
  headOf,
  rangeOf,
  type S3Head,
  type S3Object,
  type S3Range,
  type S3Version,
  tagOf,
} from "./api/object.ts";
import {
  AskedList,
  isListOfParts,
  partsOf,
  type S3Listed,
  type S3Part,
  type S3Upload,
  takePage,
  tooMany,
  uploadsOf,
} from "./api/page.ts";
import { Silence } from "./api/silence.ts";
import type { S3Body } from "./api/transport.ts";
import { escapeXml, textIn } from "./api/xml.ts";
import type { S3Url } from "./url.ts";

interface PutOptions {
  /** Put only where there is no object, or only over this one. A store that doesn't know the condition always puts. */
  readonly ifNoneMatch?: true;
  readonly ifMatch?: string;
}

/** A page of a thousand parts has a fifth of that. */
const partsBytesMax = 1 * MiB;

export class S3Objects {
  readonly #client: S3Client;
  readonly #waiting: S3Waiting;

  constructor(client: S3Client, waiting: S3Waiting = {}) {
    this.#client = client;
    this.#waiting = waiting;
  }

  /**
   * The same store for a caller that may stop waiting, or that has a limited patience for all its requests together.
   */
  for(waiting: S3Waiting): S3Objects {
    return new S3Objects(this.#client, { ...this.#waiting, ...waiting });
  }

  /** The object's headers; undefined where there is none. With `checksums`, also those that the store has. */
  async head(url: S3Url, options: { readonly checksums?: true } = {}): Promise<S3Head | undefined> {
    const headers = options.checksums === true ? checksumRequest : {};
    const request: S3Request = { ...this.#waiting, method: "HEAD", url, headers };
    return await this.#client.send(request, (response) => {
      if (response.status === 404) return undefined;
      if (response.status !== 200) throw unexpected(request, response);
      return headOf(request, response);
    });
  }

  /** The whole content of a small object, with every check that is possible; undefined where there is none. */
  async get(url: S3Url): Promise<{ readonly bytes: Buffer; readonly etag: string } | undefined> {
    const request: S3Request = {
      ...this.#waiting,
      method: "GET",
      url,
      headers: checksumRequest,
      bytesMax: limits.storeWholeBytesMax,
    };
    return await this.#client.send(request, (response) => {
      if (response.status === 404 && codeOf(response) !== "NoSuchBucket") return undefined;
      if (response.status !== 200) throw unexpected(request, response);
      return contentOf(request, response);
    });
  }

  /**
   * Bytes [start, end) of this version of an object; "changed" when there is another version now, "gone" when there is
   * none. There may be fewer bytes than asked for, as not every store gives that many in one answer. `headers` are what
   * the answer says about the whole object.
   */
  async range(url: S3Url, version: S3Version, start: number, end: number): Promise<S3Range> {
    const isAll = start === 0 && end === version.bytes;
    const request: S3Request = {
      ...this.#waiting,
      method: "GET",
      url,
      headers: {
        ...(isAll ? checksumRequest : { range: `bytes=${start}-${end - 1}` }),
        "if-match": `"${version.etag}"`,
      },
      bytesMax: end - start,
      isPartOfUse: true,
    };
    return await this.#client.send(request, (response) => rangeOf(request, response, version, start, end));
  }

  /** Lists all objects whose keys begin with `prefix`, in pages; with a delimiter, those of one level. */
  async *list(
    bucket: string,
    prefix: string,
    options: { readonly delimiter?: string; readonly limit?: number } = {},
  ): AsyncGenerator<S3Listed, void, undefined> {
    const { delimiter, limit } = options;
    const { signal, silence = new Silence() } = this.#waiting;
    const asked = new AskedList(prefix);
    do {
      const request: S3Request = {
        signal,
        silence,
        method: "GET",
        url: { bucket, key: "" },
        query: {
          "list-type": "2",
          "encoding-type": "url",
          prefix,
          ...(delimiter === undefined ? {} : { delimiter }),
          ...(limit === undefined ? {} : { "max-keys": String(limit) }),
          ...(asked.token === undefined ? {} : { "continuation-token": asked.token }),
        },
      };
      const page = await this.#client.send(request, (response) => {
        if (response.status !== 200) throw unexpected(request, response);
        return takePage(request, response, asked);
      });
      yield page;
    } while (asked.token !== undefined);
  }

  /** All objects of `list` in one array. */
  async listAll(bucket: string, prefix: string): Promise<S3Object[]> {
    const all: S3Object[] = [];
    for await (const { objects } of this.list(bucket, prefix)) for (const object of objects) all.push(object);
    return all;
  }

  /**
   * Returns false when the condition was not met: because of another's object, or of ours, when the answer to an
   * earlier try was lost.
   */
  async put(url: S3Url, content: Uint8Array, options: PutOptions = {}): Promise<boolean> {
    const { ifNoneMatch, ifMatch } = options;
    const request: S3Request = {
      ...this.#waiting,
      method: "PUT",
      url,
      headers: {
        "content-type": "application/octet-stream",
        ...(ifNoneMatch === true ? { "if-none-match": "*" } : {}),
        ...(ifMatch === undefined ? {} : { "if-match": `"${ifMatch}"` }),
      },
      body: bodyOf(content),
    };
    return await this.#client.send(request, (response) => {
      if (response.status === 412 || (response.status === 404 && ifMatch !== undefined)) return false;
      if (response.status !== 200) throw unexpected(request, response);
      tagOf(request, response);
      return true;
    });
  }

  /**
   * Removes an object. Does nothing where there is none; with a version, also where there is another version (on stores
   * that know the condition).
   */
  async remove(url: S3Url, etag?: string): Promise<void> {
    const request: S3Request = {
      ...this.#waiting,
      method: "DELETE",
      url,
      ...(etag === undefined ? {} : { headers: { "if-match": `"${etag}"` } }),
    };
    await this.#client.send(request, (response) => {
      if (![200, 204, 404, 412].includes(response.status)) throw unexpected(request, response);
    });
  }

  // ── uploads: an object that appears when it is completed ───────────────────

  async createUpload(url: S3Url, metadata: Readonly<Record<string, string>>): Promise<string> {
    const headers = Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]);
    const request: S3Request = {
      ...this.#waiting,
      method: "POST",
      url,
      query: { uploads: "" },
      headers: { "content-type": "application/octet-stream", ...Object.fromEntries(headers) },
    };
    return await this.#client.send(request, (response) => {
      if (response.status !== 200) throw unexpected(request, response);
      const upload = textIn(documentOf(request, response, "InitiateMultipartUploadResult"), "UploadId");
      if (upload === undefined || upload === "") throw wrongAnswer(request, response, "does not name the upload");
      return upload;
    });
  }

  /** Returns the part's etag. */
  async uploadPart(url: S3Url, upload: string, number: number, body: S3Body): Promise<string> {
    const request: S3Request = {
      ...this.#waiting,
      method: "PUT",
      url,
      query: { partNumber: String(number), uploadId: upload },
      body,
    };
    return await this.#client.send(request, (response) => {
      if (response.status !== 200) throw unexpected(request, response);
      return tagOf(request, response);
    });
  }

  /**
   * The parts that an upload has. "gone": there is no such upload any more, because it was completed or aborted or has
   * expired. "unknown": the store doesn't answer that, or not to these credentials.
   */
  async listParts(url: S3Url, upload: string): Promise<readonly S3Part[] | "gone" | "unknown"> {
    const { signal, silence = new Silence() } = this.#waiting;
    const all: S3Part[] = [];
    let after: number | undefined;
    do {
      const request: S3Request = {
        signal,
        silence,
        method: "GET",
        url,
        query: { uploadId: upload, ...(after === undefined ? {} : { "part-number-marker": String(after) }) },
        bytesMax: partsBytesMax,
      };
      const page = await this.#client.send(request, (response) => {
        if (response.status === 404 && codeOf(response) === "NoSuchUpload") return "gone";
        // A store that doesn't know the request may answer anything, even with the object at that place.
        if ([400, 403, 404, 405, 501].includes(response.status) || !isListOfParts(response)) return "unknown";
        return partsOf(request, response, after);
      });
      if (typeof page === "string") return page;
      all.push(...page.parts);
      after = page.next;
    } while (after !== undefined);
    return all;
  }

  /** Returns false where there is no such upload any more: it was completed or aborted, or has expired. */
  async completeUpload(url: S3Url, upload: string, etags: readonly string[]): Promise<boolean> {
    const parts = etags.map(
      (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(`"${etag}"`)}</ETag></Part>`,
    );
    const request: S3Request = {
      ...this.#waiting,
      method: "POST",
      url,
      query: { uploadId: upload },
      headers: { "content-type": "application/xml" },
      body: bodyOf(Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`)),
    };
    return await this.#client.send(request, (response) => {
      if (response.status === 404) return false;
      if (response.status !== 200) throw unexpected(request, response);
      documentOf(request, response, "CompleteMultipartUploadResult");
      return true;
    });
  }

  /** Aborts an upload. Does nothing where there is no such upload, and never touches objects. */
  async abortUpload(url: S3Url, upload: string): Promise<void> {
    const request: S3Request = { ...this.#waiting, method: "DELETE", url, query: { uploadId: upload } };
    await this.#client.send(request, (response) => {
      if (![200, 204, 404].includes(response.status)) throw unexpected(request, response);
    });
  }

  /**
   * Uploads to keys that begin with `prefix`, neither completed nor aborted; undefined where the store can't list them.
   */
  async listUploads(bucket: string, prefix: string): Promise<S3Upload[] | undefined> {
    const { signal, silence = new Silence() } = this.#waiting;
    const all: S3Upload[] = [];
    let after: S3Upload | undefined;
    do {
      const request: S3Request = {
        signal,
        silence,
        method: "GET",
        url: { bucket, key: "" },
        query: {
          uploads: "",
          "encoding-type": "url",
          prefix,
          ...(after === undefined ? {} : { "key-marker": after.key, "upload-id-marker": after.upload }),
        },
      };
      const page = await this.#client.send(request, (response) => {
        // Some stores don't know the request, and some credentials may not make it.
        if ([400, 403, 405, 501].includes(response.status)) return undefined;
        if (response.status !== 200) throw unexpected(request, response);
        return uploadsOf(request, response, prefix, after);
      });
      if (page === undefined) return undefined;
      for (const upload of page.uploads) all.push(upload);
      if (all.length > limits.storeListedMax) throw tooMany(request, prefix);
      after = page.next;
    } while (after !== undefined);
    return all;
  }
}

export function bodyOf(content: Uint8Array): S3Body {
  return { bytes: content.length, chunks: () => [content] };
}
