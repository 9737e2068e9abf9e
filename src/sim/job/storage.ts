// Storage in memory: inputs that were read once, what attempts stage, and what is published.
import { createHash } from "node:crypto";
import { MillraceError } from "../../base/error.ts";
import { attemptName } from "../../base/ids.ts";
import { KiB } from "../../base/limits.ts";
import { manifestName } from "../../storage/manifest.ts";
import type { CommitDecision, FileInfo, StagedWriter, Storage } from "../../storage/storage.ts";
import type { Chance } from "../chance.ts";
import type { Outputs } from "../scene.ts";

/** Small, so that a sample of a megabyte comes in several batches too. */
const chunkBytes = 4 * KiB;

export interface SimStorage extends Storage {
  /** What was published; undefined before. */
  readonly published: CommitDecision | undefined;
}

/** `inputs` by path; what one job publishes is read back by `stat` and `read`. */
export function createSimStorage(inputs: ReadonlyMap<string, Uint8Array>): SimStorage {
  const files = new Map(inputs);
  const staged = new Map<string, Buffer>();
  /** What attempts have saved of what they stage. */
  const saved = new Map<string, Buffer>();
  let published: CommitDecision | undefined;

  const infoOf = (path: string): FileInfo | undefined => {
    const bytes = files.get(path);
    return bytes === undefined ? undefined : { path, bytes: bytes.length, version: "1", hosts: [] };
  };

  return {
    get published() {
      return published;
    },
    async list(path) {
      const found = infoOf(path);
      return found === undefined ? [] : [found];
    },
    stat: async (path) => infoOf(path),
    async *read({ path }, start, end) {
      const bytes = files.get(path);
      if (bytes === undefined) throw new MillraceError("bad-input", `there is no file ${path}`);
      const last = Math.min(end, bytes.length);
      // Copies: whoever keeps a chunk for longer than he may must not be right by accident.
      for (let at = start; at < last; at += chunkBytes) yield bytes.slice(at, Math.min(at + chunkBytes, last));
    },
    async *below(directory) {
      for (const path of files.keys())
        if (path.startsWith(`${directory}/`)) yield { name: path.slice(directory.length + 1), file: infoOf(path) };
    },
    stage(_destination, attempt, name, _signal, { from } = {}) {
      const writer = stagedWriter({ staged, saved }, `${attemptName(attempt)}/${name}`);
      if (from === undefined) return writer;
      const content = saved.get(from.token);
      if (content === undefined || sha256Of(content) !== from.sha256)
        throw new MillraceError("corrupt-output", `${from.token} is not what was saved`, { retry: "elsewhere" });
      writer.write(content);
      return writer;
    },
    prepare: async () => ({ replaces: undefined }),
    findLost: async (_destination, _job, files) =>
      files.filter(({ token }) => !staged.has(token)).map(({ token }) => ({ token, why: "is missing" })),
    /** Nothing that is staged here gets lost. */
    withdraw: async () => ({ kind: "whole" }),
    /** All at once, and once: whoever comes later finds it done. */
    async publish(decision) {
      if (published !== undefined) return;
      const { destination, manifest } = decision;
      const contents = decision.files.map(({ name, token }) => {
        const content = staged.get(token);
        if (content === undefined) throw new MillraceError("corrupt-output", `${name} is not staged any more`);
        return [`${destination}/${name}`, content] as const;
      });
      for (const [path, content] of contents) files.set(path, content);
      files.set(`${destination}/${manifestName}`, manifest);
      published = decision;
    },
    async discard() {
      staged.clear();
      saved.clear();
    },
  };
}

function sha256Of(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function stagedWriter(
  { staged, saved }: Readonly<Record<"staged" | "saved", Map<string, Buffer>>>,
  token: string,
): StagedWriter {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return {
    write(chunk) {
      chunks.push(Buffer.from(chunk));
      bytes += chunk.length;
    },
    get bytes() {
      return bytes;
    },
    async finish() {
      const content = Buffer.concat(chunks);
      staged.set(token, content);
      return { bytes, sha256: sha256Of(content), token };
    },
    abort: () => void staged.delete(token),
    save() {
      const content = Buffer.concat(chunks);
      saved.set(token, content);
      return { bytes, sha256: sha256Of(content), token, file: undefined };
    },
    leave() {},
  };
}

/** As masters reach it. Publishing takes its time, and a master may end before, within and after. */
export function outputsIn(storage: SimStorage, chance: Chance, manifest: Outputs["manifest"]): Outputs {
  return {
    failsUntil: 0,
    slowUntil: 0,
    manifest,
    staged: () => undefined,
    clientOf({ clock }) {
      const wait = () => clock.sleep(chance.between(1, 50));
      return {
        ...storage,
        publish: async (decision) => {
          await wait();
          await storage.publish(decision);
          await wait();
        },
        discard: async (destination, job) => {
          await wait();
          await storage.discard(destination, job);
        },
      };
    },
  };
}

/** The same storage for one attempt, which can read or write at most `bytesMax` bytes before an error comes. */
export function failingStorage(storage: Storage, bytesMax: number): Storage {
  let left = bytesMax;
  const take = (bytes: number, what: string) => {
    left -= bytes;
    if (left < 0) throw new MillraceError("io-error", `simulated: ${what} fails`, { retry: "elsewhere" });
  };
  return {
    ...storage,
    async *read(file, start, end) {
      for await (const chunk of storage.read(file, start, end)) {
        take(chunk.length, `reading ${file.path}`);
        yield chunk;
      }
    },
    stage(destination, attempt, name, signal, options) {
      const writer = storage.stage(destination, attempt, name, signal, options);
      return {
        write: (chunk) => {
          take(chunk.length, `writing ${name}`);
          writer.write(chunk);
        },
        get bytes() {
          return writer.bytes;
        },
        finish: async () => {
          take(bytesMax + 1, `writing ${name}`);
          return await writer.finish();
        },
        abort: () => writer.abort(),
        save: () => writer.save(),
        leave: () => writer.leave(),
      };
    },
  };
}
