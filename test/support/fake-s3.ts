// An object store in memory, with what the tests need of S3's protocol and nothing of our client's code: signatures
// (checked), etags, multipart uploads, conditional requests, pages of listings. Faults can be made at every request.
import { createHash, createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { HttpRequest, HttpResponse, S3Transport } from "../../src/storage/s3/api/transport.ts";

export interface FakeObject {
  readonly body: Buffer;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Checksums for callers that ask for them, and for the whole object: "x-amz-checksum-crc64nvme" and others. */
  readonly checksums?: Readonly<Record<string, string>>;
}

interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly parts: Map<number, { readonly body: Buffer; readonly etag: string }>;
}

export interface FakeRequest {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Instead of the answer: before the effect, or after it. */
export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly code: string }
  | { readonly kind: "reset" }
  | { readonly kind: "lost" };

export interface FakeS3Options {
  /** False: conditions of requests are ignored, as s3rver does. */
  readonly conditional?: boolean;
  readonly pageSize?: number;
  /** False: the parts of an upload can't be listed. */
  readonly listsParts?: boolean;
  /** False: lists of uploads are not implemented. */
  readonly listsUploads?: boolean;
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  readonly region?: string;
  /** Called with each request before its effect. */
  readonly before?: (request: FakeRequest) => Fault | undefined | Promise<Fault | undefined>;
}

export const fakeCredentials: NonNullable<FakeS3Options["credentials"]> = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

export class FakeS3 {
  readonly buckets = new Map<string, Map<string, FakeObject>>();
  readonly uploads = new Map<string, Upload>();
  /** "PUT bucket/key?query", in the order in which they came. */
  readonly log: string[] = [];
  readonly options: FakeS3Options;
  #uploadNumber = 0;

  constructor(options: FakeS3Options = {}, buckets: readonly string[] = ["bucket"]) {
    this.options = options;
    for (const bucket of buckets) this.buckets.set(bucket, new Map());
  }

  /** A client's way to this store without a network; `before` comes ahead of the store's own. */
  transport(before?: FakeS3Options["before"]): S3Transport {
    return async (request) => {
      const parsed = parse(request, request.url);
      const fault = (await before?.(parsed)) ?? (await this.options.before?.(parsed));
      if (request.signal.aborted) throw request.signal.reason;
      if (fault?.kind === "reset") throw systemError("ECONNRESET");
      if (fault?.kind === "status") return errorResponse(fault.status, fault.code);
      const response = this.answer(parsed, new URL(request.url).host, rawPath(request.url));
      if (fault?.kind === "lost") throw systemError("ECONNRESET");
      const body = parsed.method === "HEAD" ? Buffer.alloc(0) : response.body;
      return { ...response, body: body.subarray(0, request.bytesMax) };
    };
  }

  /** The same over HTTP, on loopback. */
  async listen(): Promise<{ readonly url: string; readonly server: Server; close(): Promise<void> }> {
    const server = createServer((incoming, outgoing) => {
      void (async () => {
        const chunks: Buffer[] = [];
        for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
        const headers = Object.fromEntries(
          Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
        );
        const url = `http://${incoming.headers.host}${incoming.url}`;
        const parsed = parse({ method: incoming.method ?? "", headers, body: Buffer.concat(chunks) }, url);
        const fault = await this.options.before?.(parsed);
        if (fault?.kind === "reset") return void incoming.socket.destroy();
        const answer =
          fault?.kind === "status"
            ? errorResponse(fault.status, fault.code)
            : this.answer(parsed, incoming.headers.host ?? "", rawPath(url));
        if (fault?.kind === "lost") return void incoming.socket.destroy();
        outgoing.writeHead(answer.status, { ...answer.headers });
        outgoing.end(parsed.method === "HEAD" ? undefined : answer.body);
      })().catch((error: unknown) => outgoing.destroy(error as Error));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}`,
      server,
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    };
  }

  put(bucket: string, key: string, body: string | Uint8Array, metadata: Readonly<Record<string, string>> = {}): void {
    const bytes = Buffer.from(body as Uint8Array);
    this.buckets.get(bucket)!.set(key, { body: bytes, etag: md5(bytes), metadata });
  }

  /** Contents by key. */
  contents(bucket: string, prefix = ""): Map<string, string> {
    const objects = [...this.buckets.get(bucket)!].filter(([key]) => key.startsWith(prefix)).sort(byKey);
    return new Map(objects.map(([key, object]) => [key.slice(prefix.length), object.body.toString("utf8")]));
  }

  answer(request: FakeRequest, host: string, path: string): HttpResponse {
    const query = [...request.query].map(([name, value]) => (value === "" ? name : `${name}=${value}`)).join("&");
    this.log.push(`${request.method} ${request.bucket}/${request.key}${query === "" ? "" : `?${query}`}`);
    const denied = this.#checkSignature(request, host, path);
    if (denied !== undefined) return errorResponse(403, denied);
    const objects = this.buckets.get(request.bucket);
    if (objects === undefined) return errorResponse(404, "NoSuchBucket");
    if (request.key === "" && request.query.has("uploads")) return this.#listUploads(request);
    if (request.key === "") return this.#list(objects, request);
    const upload = request.query.get("uploadId");
    if (upload !== undefined) return this.#onUpload(objects, request, upload);
    if (request.query.has("uploads")) return this.#createUpload(request);
    switch (request.method) {
      case "HEAD":
      case "GET":
        return this.#get(objects, request);
      case "PUT": {
        const refused = this.#refusal(objects, request);
        if (refused !== undefined) return refused;
        this.put(request.bucket, request.key, request.body, metadataOf(request));
        return {
          status: 200,
          headers: { etag: `"${objects.get(request.key)!.etag}"`, "content-length": "0" },
          body: none,
        };
      }
      case "DELETE": {
        const tag = request.headers["if-match"];
        const there = objects.get(request.key);
        if (this.#isConditional && tag !== undefined && there !== undefined && tag !== `"${there.etag}"`)
          return errorResponse(412, "PreconditionFailed");
        objects.delete(request.key);
        return { status: 204, headers: {}, body: none };
      }
      default:
        return errorResponse(405, "MethodNotAllowed");
    }
  }

  get #isConditional(): boolean {
    return this.options.conditional !== false;
  }

  #get(objects: Map<string, FakeObject>, { key, headers }: FakeRequest): HttpResponse {
    const object = objects.get(key);
    if (object === undefined) return errorResponse(404, "NoSuchKey");
    if (this.#isConditional && headers["if-match"] !== undefined && headers["if-match"] !== `"${object.etag}"`)
      return errorResponse(412, "PreconditionFailed");
    const meta = Object.fromEntries(
      Object.entries(object.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]),
    );
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers["range"] ?? "");
    const total = object.body.length;
    const [start, end] = range === null ? [0, total] : [Number(range[1]), Math.min(total, Number(range[2]) + 1)];
    if (range !== null && start >= total) return errorResponse(416, "InvalidRange");
    return {
      status: range === null ? 200 : 206,
      headers: {
        ...meta,
        ...(headers["x-amz-checksum-mode"] === "ENABLED" && range === null ? object.checksums : {}),
        etag: `"${object.etag}"`,
        "content-length": String(end - start),
        ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${total}` }),
      },
      body: object.body.subarray(start, end),
    };
  }

  /** 412 where a condition is not met. */
  #refusal(objects: Map<string, FakeObject>, { key, headers }: FakeRequest): HttpResponse | undefined {
    if (!this.#isConditional) return undefined;
    const there = objects.get(key);
    if (headers["if-none-match"] === "*" && there !== undefined) return errorResponse(412, "PreconditionFailed");
    if (headers["if-match"] === undefined) return undefined;
    if (there === undefined) return errorResponse(404, "NoSuchKey");
    return headers["if-match"] === `"${there.etag}"` ? undefined : errorResponse(412, "PreconditionFailed");
  }

  #list(objects: Map<string, FakeObject>, { query }: FakeRequest): HttpResponse {
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter");
    const after = query.get("continuation-token");
    const max = Math.min(this.options.pageSize ?? 1000, Number(query.get("max-keys") ?? 1000));
    const entries: string[] = [];
    let last = "";
    let isTruncated = false;
    const seen = new Set<string>();
    for (const [key, { body, etag }] of [...objects].sort(byKey)) {
      if (!key.startsWith(prefix)) continue;
      const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      const name = cut < 0 ? key : key.slice(0, cut + 1);
      if (after !== undefined && Buffer.compare(Buffer.from(name), Buffer.from(after, "base64url")) <= 0) continue;
      if (seen.has(name)) continue;
      if (entries.length === max) {
        isTruncated = true;
        break;
      }
      seen.add(name);
      last = name;
      const shown = encoded(name);
      entries.push(
        cut < 0
          ? `<Contents><Key>${shown}</Key><ETag>&quot;${etag}&quot;</ETag><Size>${body.length}</Size></Contents>`
          : `<CommonPrefixes><Prefix>${shown}</Prefix></CommonPrefixes>`,
      );
    }
    const next = isTruncated
      ? `<NextContinuationToken>${Buffer.from(last).toString("base64url")}</NextContinuationToken>`
      : "";
    return xml(
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType><KeyCount>${entries.length}</KeyCount><IsTruncated>${isTruncated}</IsTruncated>${entries.join("")}${next}</ListBucketResult>`,
    );
  }

  #listUploads({ bucket, query }: FakeRequest): HttpResponse {
    if (this.options.listsUploads === false) return errorResponse(501, "NotImplemented");
    const prefix = query.get("prefix") ?? "";
    const [keyMarker, idMarker] = [query.get("key-marker"), query.get("upload-id-marker") ?? ""];
    const all = [...this.uploads]
      .filter(([, upload]) => upload.bucket === bucket && upload.key.startsWith(prefix))
      .map(([id, { key }]) => ({ id, key }))
      .sort((a, b) => byKey([a.key, 0], [b.key, 0]) || (a.id < b.id ? -1 : 1))
      .filter(({ id, key }) => {
        const order = keyMarker === undefined ? 1 : byKey([key, 0], [keyMarker, 0]);
        return order > 0 || (order === 0 && id > idMarker);
      });
    const page = all.slice(0, this.options.pageSize ?? 1000);
    const last = page.length < all.length ? page.at(-1) : undefined;
    const marks =
      last === undefined
        ? ""
        : `<NextKeyMarker>${encoded(last.key)}</NextKeyMarker><NextUploadIdMarker>${last.id}</NextUploadIdMarker>`;
    const entries = page.map(({ id, key }) => `<Upload><Key>${encoded(key)}</Key><UploadId>${id}</UploadId></Upload>`);
    return xml(
      `<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>${last !== undefined}</IsTruncated>${marks}${entries.join("")}</ListMultipartUploadsResult>`,
    );
  }

  #createUpload(request: FakeRequest): HttpResponse {
    this.#uploadNumber++;
    const id = `upload/${this.#uploadNumber}+=`;
    const { bucket, key } = request;
    this.uploads.set(id, { bucket, key, metadata: metadataOf(request), parts: new Map() });
    return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  }

  #onUpload(objects: Map<string, FakeObject>, request: FakeRequest, id: string): HttpResponse {
    const upload = this.uploads.get(id);
    if (upload === undefined || upload.key !== request.key || upload.bucket !== request.bucket)
      return errorResponse(404, "NoSuchUpload");
    if (request.method === "PUT") {
      const etag = md5(request.body);
      upload.parts.set(Number(request.query.get("partNumber")), { body: request.body, etag });
      return { status: 200, headers: { etag: `"${etag}"`, "content-length": "0" }, body: none };
    }
    if (request.method === "GET") return this.#listParts(upload, request);
    if (request.method === "DELETE") {
      this.uploads.delete(id);
      return { status: 204, headers: {}, body: none };
    }
    const named = [...request.body.toString("utf8").matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>(.*?)<\/ETag>/g)];
    const parts = named.map((match) => ({
      part: upload.parts.get(Number(match[1])),
      etag: match[2]!.replace(/&#34;/g, ""),
    }));
    if (parts.length === 0 || parts.some(({ part, etag }) => part === undefined || part.etag !== etag))
      return errorResponse(400, "InvalidPart");
    const body = Buffer.concat(parts.map(({ part }) => part!.body));
    const etag = `${md5(Buffer.concat(parts.map(({ part }) => Buffer.from(part!.etag, "hex"))))}-${parts.length}`;
    objects.set(request.key, { body, etag, metadata: upload.metadata });
    this.uploads.delete(id);
    return xml(`<CompleteMultipartUploadResult><ETag>&quot;${etag}&quot;</ETag></CompleteMultipartUploadResult>`);
  }

  #listParts({ parts }: Upload, { query }: FakeRequest): HttpResponse {
    if (this.options.listsParts === false) return errorResponse(501, "NotImplemented");
    const after = Number(query.get("part-number-marker") ?? 0);
    const left = [...parts].filter(([number]) => number > after).sort(([a], [b]) => a - b);
    const page = left.slice(0, this.options.pageSize ?? 1000);
    const entries = page.map(
      ([number, { body, etag }]) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>&quot;${etag}&quot;</ETag><Size>${body.length}</Size></Part>`,
    );
    const isTruncated = left.length > page.length;
    const next = isTruncated ? `<NextPartNumberMarker>${page.at(-1)![0]}</NextPartNumberMarker>` : "";
    return xml(
      `<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>${isTruncated}</IsTruncated>${next}${entries.join("")}</ListPartsResult>`,
    );
  }

  /** Signature version 4, from its specification: undefined, or the error's code. */
  #checkSignature(request: FakeRequest, host: string, path: string): string | undefined {
    const { accessKeyId, secretAccessKey, sessionToken } = this.options.credentials ?? fakeCredentials;
    const match =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
        request.headers["authorization"] ?? "",
      );
    if (match === null) return "AccessDenied";
    const [, id, day, region, names = "", signature] = match;
    if (id !== accessKeyId) return "InvalidAccessKeyId";
    if (region !== (this.options.region ?? "us-east-1")) return "AuthorizationHeaderMalformed";
    if (sessionToken !== undefined && request.headers["x-amz-security-token"] !== sessionToken) return "InvalidToken";
    if (sha256(request.body) !== request.headers["x-amz-content-sha256"]) return "XAmzContentSHA256Mismatch";
    const all = { ...request.headers, host };
    const signed = names.split(";");
    // What has a meaning must be signed.
    const meaningful = Object.keys(all).filter((name) => name.startsWith("x-amz-") || name === "host");
    if (meaningful.some((name) => !signed.includes(name))) return "AccessDenied";
    const canonical = [
      request.method,
      path,
      [...request.query]
        .map(([name, value]) => `${strict(name)}=${strict(value)}`)
        .sort()
        .join("&"),
      ...signed.map((name) => `${name}:${(all[name as keyof typeof all] ?? "").trim().replace(/ +/g, " ")}`),
      "",
      names,
      request.headers["x-amz-content-sha256"],
    ].join("\n");
    const scope = `${day}/${region}/s3/aws4_request`;
    const toSign = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, sha256(Buffer.from(canonical))].join(
      "\n",
    );
    const key = [day!, region!, "s3", "aws4_request"].reduce<Buffer | string>(hmac, `AWS4${secretAccessKey}`);
    return hmac(key, toSign).toString("hex") === signature ? undefined : "SignatureDoesNotMatch";
  }
}

const none = Buffer.alloc(0);

export function errorResponse(status: number, code: string): HttpResponse {
  const body = Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>said so</Message></Error>`,
  );
  return { status, headers: { "content-length": String(body.length) }, body };
}

function xml(text: string): HttpResponse {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
  return { status: 200, headers: { "content-length": String(body.length) }, body };
}

function systemError(code: string): Error {
  return Object.assign(new Error(`read ${code}`), { code });
}

function parse(
  request: Pick<HttpRequest, "method" | "headers"> & { readonly body: HttpRequest["body"] | Buffer },
  url: string,
): FakeRequest {
  const [path, search = ""] = rawPath(url, true).split("?");
  const [, bucket = "", ...key] = path!.split("/");
  const query = search
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair): [string, string] => {
      const at = pair.indexOf("=");
      return [
        decodeURIComponent(at < 0 ? pair : pair.slice(0, at)),
        at < 0 ? "" : decodeURIComponent(pair.slice(at + 1)),
      ];
    });
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.concat([...(request.body?.chunks() ?? [])]);
  return {
    method: request.method,
    bucket: decodeURIComponent(bucket),
    key: decodeURIComponent(key.join("/")),
    query: new Map(query),
    headers: request.headers,
    body,
  };
}

/** As it was sent. */
function rawPath(url: string, withQuery = false): string {
  const rest = url.slice(url.indexOf("/", url.indexOf("://") + 3));
  return withQuery ? rest : rest.split("?")[0]!;
}

function metadataOf({ headers }: FakeRequest): Record<string, string> {
  const ours = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"));
  return Object.fromEntries(ours.map(([name, value]) => [name.slice("x-amz-meta-".length), value]));
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0]));
}

function encoded(key: string): string {
  return encodeURIComponent(key).replaceAll("%2F", "/").replaceAll("%20", "+");
}

function strict(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
