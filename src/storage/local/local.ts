// Input and output on a file system that this process sees, which may be a shared one.
import { randomId } from "../../base/system/random.ts";
import type { Storage } from "../storage.ts";
import { type LocalFs, nodeLocalFs } from "./fs.ts";
import { hiddenOf } from "./hidden.ts";
import { LocalLister } from "./list.ts";
import { findLost } from "./lost.ts";
import { prepare } from "./prepare.ts";
import { discard, publish } from "./publish.ts";
import { LocalReader } from "./read.ts";
import { LocalStagedWriter } from "./stage.ts";
import { withdraw } from "./withdraw.ts";

export interface LocalStorageOptions {
  /** Default: the real file system. */
  readonly fs?: LocalFs;
  /** Returns names that no other process uses. Default: 128 random bits. */
  readonly uniqueName?: () => string;
}

export function createLocalStorage(options: LocalStorageOptions = {}): Storage {
  const fs = options.fs ?? nodeLocalFs;
  const uniqueName = options.uniqueName ?? randomId;
  const lister = new LocalLister(fs);
  const reader = new LocalReader(fs);
  return {
    list: (argument) => lister.list(argument),
    stat: async (path) => lister.file(path),
    read: (file, start, end) => reader.read(file, start, end),
    below: (directory) => lister.below(directory),
    stage: (destination, attempt, name, _, staging) => new LocalStagedWriter(fs, destination, attempt, name, staging),
    prepare: (destination, overwrite) => prepare(fs, destination, overwrite),
    findLost: (destination, job, files) => findLost(fs, hiddenOf(destination, job), files),
    publish: (decision) => publish(decision, { fs, uniqueName }),
    withdraw: (decision) => withdraw(decision, fs),
    discard: (destination, job) => discard(hiddenOf(destination, job), fs),
  };
}
