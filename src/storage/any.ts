// The storage behind every path that may be given: a URL belongs to the storage of its scheme (schemes.ts), a path
// without a scheme to a file system.
import { tmpdir } from "node:os";
import { MillraceError } from "../base/error.ts";
import { type Clock, systemClock } from "../base/system/clock.ts";
import { showPath } from "./local/fs.ts";
import { createLocalStorage } from "./local/local.ts";
import { type Access, ownAccess, schemeOf, schemes } from "./schemes.ts";
import type { Storage } from "./storage.ts";

export interface AnyStorageOptions {
  /** The access to the storage of a scheme, asked for when it is needed. Default: `ownAccess`. */
  readonly access?: ((scheme: string) => Access | undefined) | undefined;
  /** Where output files are kept until they are uploaded. Default: the temporary directory. */
  readonly spoolDirectory?: (() => string) | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: (() => number) | undefined;
}

export function createStorage(options: AnyStorageOptions = {}): Storage {
  const { access = ownAccess, clock = systemClock, random = Math.random, spoolDirectory = tmpdir } = options;
  const local = createLocalStorage();
  const byScheme = new Map(
    Object.entries(schemes).map(([scheme, { open }]) => [
      scheme,
      open({ access: () => access(scheme), clock, random, spoolDirectory }),
    ]),
  );
  const of = (path: string): Storage => {
    const scheme = schemeOf(path);
    const storage = scheme === undefined ? local : byScheme.get(scheme);
    if (storage !== undefined) return storage;
    const others = Object.values(schemes).map(({ called }) => called);
    throw new MillraceError(
      "wrong-usage",
      `${showPath(path)}: Millrace reads and writes paths of a file system and of ${others.join(", ")} only.`,
    );
  };
  return {
    list: async (pattern, signal) => await of(pattern).list(pattern, signal),
    stat: async (path, signal) => await of(path).stat(path, signal),
    read: (file, start, end, signal) => of(file.path).read(file, start, end, signal),
    below: (directory, signal) => of(directory).below(directory, signal),
    stage: (destination, attempt, name, signal, options) =>
      of(destination).stage(destination, attempt, name, signal, options),
    prepare: async (destination, overwrite, signal, ended) =>
      await of(destination).prepare(destination, overwrite, signal, ended),
    findLost: async (destination, job, files, signal) =>
      await of(destination).findLost(destination, job, files, signal),
    publish: async (decision, signal) => await of(decision.destination).publish(decision, signal),
    withdraw: async (decision, signal) => await of(decision.destination).withdraw(decision, signal),
    discard: async (destination, job, signal) => await of(destination).discard(destination, job, signal),
  };
}
