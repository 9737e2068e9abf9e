// A file system for tests of the local storage: the real one, with something done before each call.
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { LocalFs } from "../../src/storage/local/fs.ts";
import { nodeLocalFs } from "../../src/storage/local/fs.ts";

export interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}

/**
 * Calls `before` ahead of every call that can fail or can be the last one before a crash; what it throws is what the
 * call throws.
 */
export function interposedFs(before: (call: Call) => void | Promise<void>): LocalFs {
  const handle = (file: object) => wrapped(file, before, (value) => value);
  const promises = wrapped(nodeLocalFs.promises, before, (value, name) =>
    name === "open" ? handle(value as object) : value,
  );
  const sync = new Proxy(nodeLocalFs, {
    get(target, name) {
      if (name === "promises") return promises;
      const call = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        const waited = before({ name: String(name), args });
        if (waited instanceof Promise) waited.catch(() => {});
        return call.apply(target, args);
      };
    },
  });
  return sync;
}

/**
 * The real file system, with an account of what a loss of power would take: bytes that were written and names that were
 * made since their file, or their folder, was synced the last time. It counts the syncs, too.
 */
export class PowerLedger {
  readonly fs: LocalFs;
  /** What was synced, in order. */
  readonly fsyncs: string[] = [];
  /** Called before each rename: what it makes visible has to be on disk by then. */
  onRename: (from: string, to: string) => void = () => {};
  readonly #fds = new Map<number, string>();
  /** Files with bytes that are not on disk. */
  readonly #bytes = new Set<string>();
  /** Names that are not on disk. */
  readonly #names = new Set<string>();

  constructor() {
    this.fs = new Proxy(nodeLocalFs, {
      get: (target, name) => {
        if (name === "promises") return this.#promises();
        const call = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => this.#call(String(name), args, call.bind(target));
      },
    });
  }

  /** What is at a place, below it, and on the way to it, and would be gone: "bytes of …", "name …". */
  lostBelow(path: string): string[] {
    const concerns = (one: string) => one === path || one.startsWith(`${path}/`) || path.startsWith(`${one}/`);
    return [
      ...[...this.#bytes].filter(concerns).map((one) => `bytes of ${one}`),
      ...[...this.#names].filter(concerns).map((one) => `name ${one}`),
    ].sort();
  }

  #call(name: string, args: unknown[], call: (...args: unknown[]) => unknown): unknown {
    const [first, second] = args;
    const opened = typeof first === "number" ? this.#fds.get(first) : undefined;
    if (name === "openSync") return this.#opened(String(first), String(second), () => call(...args) as number);
    if (name === "mkdirSync") {
      const made = this.#missing(String(first));
      const result = call(...args);
      for (const path of made) this.#names.add(path);
      return result;
    }
    if (name === "fdatasync") return this.#syncLater(opened!, args, call);
    const result = call(...args);
    if (name === "writeSync") this.#bytes.add(opened!);
    if (name === "fsyncSync") this.#synced(opened!);
    if (name === "closeSync") this.#fds.delete(first as number);
    if (name === "unlinkSync") this.#gone(String(first));
    return result;
  }

  #opened(path: string, flags: string, open: () => number): number {
    const isNew = flags.startsWith("w") && !existsSync(path);
    const fd = open();
    this.#fds.set(fd, path);
    if (isNew) this.#names.add(path);
    return fd;
  }

  #syncLater(path: string, args: unknown[], call: (...args: unknown[]) => unknown): unknown {
    const done = args.at(-1) as (error: unknown) => void;
    // Bytes that are written meanwhile are none of its business.
    this.fsyncs.push(path);
    return call(...args.slice(0, -1), done);
  }

  #promises(): LocalFs["promises"] {
    return new Proxy(nodeLocalFs.promises, {
      get: (target, name) => {
        const call = Reflect.get(target, name) as unknown;
        if (typeof call !== "function" || typeof name !== "string") return call;
        return async (...args: unknown[]) => {
          const paths = args.slice(0, 2).map(String);
          const [first, second] = [paths[0]!, paths[1]!];
          const made = name === "mkdir" ? this.#missing(first) : [];
          const isNew = (name === "open" && second.startsWith("w") && !existsSync(first)) || name === "copyFile";
          if (name === "rename") this.onRename(first, second);
          const result: unknown = await (call as (...args: unknown[]) => unknown).apply(target, args);
          for (const path of made) this.#names.add(path);
          if (isNew) this.#names.add(name === "open" ? first : second);
          if (name === "copyFile") this.#bytes.add(second);
          if (name === "rename") this.#moved(first, second);
          if (name === "rm" || name === "rmdir" || name === "unlink") this.#gone(first);
          return name === "open" ? this.#handle(first, result as object) : result;
        };
      },
    });
  }

  #handle(path: string, file: object): object {
    return new Proxy(file, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          const result: unknown = await (value as (...args: unknown[]) => unknown).apply(target, args);
          if (name === "writeFile" || name === "write") this.#bytes.add(path);
          if (name === "sync") this.#synced(path);
          return result;
        };
      },
    });
  }

  #missing(path: string): string[] {
    const missing: string[] = [];
    for (let one = path; !existsSync(one); one = dirname(one)) missing.push(one);
    return missing;
  }

  #synced(path: string): void {
    this.fsyncs.push(path);
    this.#bytes.delete(path);
    for (const name of [...this.#names]) if (dirname(name) === path) this.#names.delete(name);
  }

  #moved(from: string, to: string): void {
    for (const set of [this.#bytes, this.#names]) {
      for (const path of [...set]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        set.delete(path);
        set.add(to + path.slice(from.length));
      }
    }
    this.#names.add(to);
  }

  #gone(path: string): void {
    for (const set of [this.#bytes, this.#names])
      for (const one of [...set]) if (one === path || one.startsWith(`${path}/`)) set.delete(one);
  }
}

export function systemError(code: string, message = code): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}

function wrapped<T extends object>(
  target: T,
  before: (call: Call) => void | Promise<void>,
  result: (value: unknown, name: string) => unknown,
): T {
  return new Proxy(target, {
    get(_, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function" || typeof name !== "string") return value;
      return async (...args: unknown[]) => {
        // Closing gives back what the process holds; it changes nothing that a crash would leave.
        if (name !== "close") await before({ name, args });
        return result(await (value as (...args: unknown[]) => unknown).apply(target, args), name);
      };
    },
  });
}
