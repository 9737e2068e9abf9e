// A file system for tests of the local storage: the real one, with something done before each call.
import type { LocalFs } from "../../src/storage/local-fs.ts";
import { nodeLocalFs } from "../../src/storage/local-fs.ts";

export interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Calls `before` ahead of every call that can fail or can be the last one before a crash; what it throws is what the call throws. */
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
