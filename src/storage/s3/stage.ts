// An output file while an attempt writes it. Writing is synchronous and requests are not, so the file is written to a
// local file without a name (which is gone with the process, however that ends), and uploaded when it is finished; but
// the upload is not completed, so nothing appears. A file that is to be saved has a name as long as it is written, so
// that it can be kept under another.
//
//   write … ─► local file ─► finish: record for `discard` ─► create upload ─► its id in the record ─► parts ─► token
import { createHash, type Hash } from "node:crypto";
import nodeFs from "node:fs";
import { join } from "node:path";
import { assert } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import { type AttemptId, attemptName } from "../../base/ids.ts";
import { KiB, limits, MiB } from "../../base/limits.ts";
import { forEachAtMost } from "../../base/system/parallel.ts";
import { randomId } from "../../base/system/random.ts";
import { openForReading } from "../local/fs.ts";
import { checkedName } from "../local/hidden.ts";
import { copyPrefix } from "../staged-prefix.ts";
import type { StagedPrefix, StagedWriter, StageOptions } from "../storage.ts";
import { s3OutputError } from "./api/error.ts";
import { Silence } from "./api/silence.ts";
import type { S3Body } from "./api/transport.ts";
import { destinationOf, encodeToken, markOf, recordUrl, type S3Destination, urlIn } from "./names.ts";
import type { S3Objects } from "./objects.ts";
import { type S3Url, s3Path } from "./url.ts";

/** The system calls for the local file; tests insert their own. */
export type SpoolFs = Pick<
  typeof nodeFs,
  "openSync" | "writeSync" | "readSync" | "fstatSync" | "fsyncSync" | "closeSync" | "unlinkSync"
>;

export interface S3StageOptions extends StageOptions {
  readonly objects: S3Objects;
  readonly fs: SpoolFs;
  /** The directory of the local file. */
  readonly directory: string;
  /** Bytes of an upload's part. Default 8 MiB, more for large files. */
  readonly partBytes?: number | undefined;
}

const partBytesMin = 8 * MiB;
/** Amazon allows 10,000; fewer keep the token small. */
const partsMax = 1000;
const partsAtOnce = 3;
const readBytes = 256 * KiB;

export class S3StagedWriter implements StagedWriter {
  readonly #options: S3StageOptions;
  readonly #destination: S3Destination;
  readonly #attempt: AttemptId;
  readonly #name: string;
  readonly #url: S3Url;
  readonly #hash: Hash = createHash("sha256");
  /** The local file, as long as it has this name. */
  #path: string | undefined;
  #fd: number | undefined;
  #bytes = 0;

  constructor(options: S3StageOptions, destination: string, attempt: AttemptId, name: string) {
    this.#options = options;
    this.#destination = destinationOf(destination);
    this.#attempt = attempt;
    this.#name = checkedName(name);
    this.#url = urlIn(this.#destination, this.#name);
    const { fs, directory, isSavable = false, from } = options;
    this.#path = join(directory, `.millrace-upload-${randomId()}`);
    try {
      this.#fd = fs.openSync(this.#path, "wx+", 0o600);
      if (!isSavable) this.#unlink();
    } catch (thrown) {
      throw this.#error(thrown, "Spooling");
    }
    if (from !== undefined) this.#goOnFrom(from);
  }

  get bytes(): number {
    return this.#bytes;
  }

  write(chunk: Uint8Array): void {
    assert(this.#fd !== undefined, "write after finish or abort");
    try {
      // A full disk first makes a short write, then an error.
      for (let at = 0; at < chunk.length; ) {
        const written = this.#options.fs.writeSync(this.#fd, chunk, at, chunk.length - at, this.#bytes + at);
        if (written === 0) throw new Error("writing makes no progress");
        at += written;
      }
    } catch (thrown) {
      throw this.#error(thrown, "Spooling");
    }
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  async finish(): Promise<{ readonly bytes: number; readonly sha256: string; readonly token: string }> {
    assert(this.#fd !== undefined, "finish after finish or abort");
    const sha256 = this.#hash.digest("hex");
    const bytes = this.#bytes;
    const attempt = attemptName(this.#attempt);
    const { objects } = this.#options;
    try {
      // Written before the upload: an upload whose id no one learned is found by its key (s3/discard.ts).
      const record = recordUrl(this.#destination, this.#attempt, this.#name);
      const { key } = this.#url;
      await objects.put(record, Buffer.from(JSON.stringify({ key })));
      const upload = await objects.createUpload(this.#url, markOf(this.#attempt.job, attempt, sha256));
      await objects.put(record, Buffer.from(JSON.stringify({ key, upload })));
      try {
        const etags = await this.#uploadParts(upload);
        this.#close();
        return { bytes, sha256, token: encodeToken({ upload, attempt, etags }) };
      } catch (thrown) {
        await this.#forget(upload, record);
        throw thrown;
      }
    } catch (thrown) {
      throw this.#error(thrown, "Uploading");
    }
  }

  abort(): void {
    this.#close();
  }

  save(): StagedPrefix {
    assert(this.#fd !== undefined && this.#path !== undefined, "a file that is to be saved is open, and has a name");
    try {
      this.#options.fs.fsyncSync(this.#fd);
    } catch (thrown) {
      throw this.#error(thrown, "Spooling");
    }
    return { bytes: this.#bytes, sha256: this.#sha256(), token: "", file: this.#path };
  }

  leave(): void {
    this.#close();
  }

  #goOnFrom(prefix: StagedPrefix): void {
    const { fs, beat } = this.#options;
    const source = { path: prefix.file, flags: openForReading, prefix, name: this.#name };
    try {
      copyPrefix({ ...source, fs, beat, write: (chunk) => this.write(chunk), sha256: () => this.#sha256() });
    } catch (thrown) {
      this.abort();
      throw thrown;
    }
  }

  async #uploadParts(upload: string): Promise<string[]> {
    const { objects, partBytes = partBytesMin } = this.#options;
    const size = Math.max(partBytes, Math.ceil(this.#bytes / partsMax));
    // An empty file is one empty part.
    const count = Math.max(1, Math.ceil(this.#bytes / size));
    const etags: string[] = [];
    await forEachAtMost(partsAtOnce, Array.from({ length: count }).keys(), async (index) => {
      const body = this.#part(index * size, Math.min(this.#bytes, (index + 1) * size));
      etags[index] = await objects.uploadPart(this.#url, upload, index + 1, body);
    });
    return etags;
  }

  #part(start: number, end: number): S3Body {
    const read = (buffer: Buffer, at: number): Buffer => {
      assert(this.#fd !== undefined, "the spooled file is open until it is uploaded");
      const count = this.#options.fs.readSync(this.#fd, buffer, 0, Math.min(buffer.length, end - at), at);
      if (count === 0) {
        throw new MillraceError(
          "corrupt-output",
          `The local copy of ${s3Path(this.#url)} ends at byte ${at}: something else changed it.`,
          { retry: "elsewhere" },
        );
      }
      return buffer.subarray(0, count);
    };
    return {
      bytes: end - start,
      *chunks() {
        // Each chunk is a new buffer, as the ones before may still be on their way to the network.
        for (let at = start; at < end; ) {
          const chunk = read(Buffer.allocUnsafe(Math.min(readBytes, end - at)), at);
          at += chunk.length;
          yield chunk;
        }
      },
    };
  }

  /** Cleans up as well as it can: `discard` does it too. */
  async #forget(upload: string, record: S3Url): Promise<void> {
    try {
      // Works also after the attempt was revoked.
      const silence = new Silence(limits.storeDiscardSilentMsMax);
      const objects = this.#options.objects.for({ signal: undefined, silence });
      await objects.abortUpload(this.#url, upload);
      await objects.remove(record);
    } catch {
      // the failure that led here matters more
    }
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) this.#options.fs.closeSync(fd);
    try {
      this.#unlink();
    } catch {
      // Whoever owns the directory empties it; the file may be gone with it already.
    }
  }

  #sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  #unlink(): void {
    const path = this.#path;
    this.#path = undefined;
    if (path !== undefined) this.#options.fs.unlinkSync(path);
  }

  #error(thrown: unknown, doing: string): MillraceError {
    return s3OutputError(thrown, doing, s3Path(this.#url));
  }
}

export const nodeSpoolFs: SpoolFs = nodeFs;
