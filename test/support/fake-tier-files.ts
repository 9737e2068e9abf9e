import { dirname } from "node:path";
import type { TierFiles } from "../../src/tier/files.ts";

export interface FakeTierFiles extends TierFiles {
  /** Paths that exist. */
  readonly paths: readonly string[];
  readonly openCount: number;
  /** Calls so far, by name. */
  readonly calls: readonly (keyof TierFiles)[];
  /** Fails the call with this number (from 0), once. */
  failAt(call: number, code: string): void;
  bytesOf(path: string): Uint8Array;
}

export interface FakeDisk {
  /** Directories that exist, with the bytes that fit into each. */
  readonly capacity: Readonly<Record<string, number>>;
  /** Bytes that one read or write moves at most. */
  readonly callBytesMax?: number;
  /** What freeBytes says more than is true: others write to a tmpfs too. */
  readonly overstated?: number;
  readonly openMax?: number;
  /** A full disk writes nothing and does not say why. */
  readonly silentWhenFull?: boolean;
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made up by a test`), { code });
}

/** Disks in memory that fill up like real ones: a short write first, then ENOSPC (fault 60). */
export function createFakeTierFiles(disk: FakeDisk): FakeTierFiles {
  const {
    capacity,
    callBytesMax = Number.POSITIVE_INFINITY,
    overstated = 0,
    openMax = 1000,
    silentWhenFull = false,
  } = disk;
  const files = new Map<string, { bytes: Buffer }>();
  const open = new Map<number, { bytes: Buffer; directory: string }>();
  const calls: (keyof TierFiles)[] = [];
  let nextFd = 3;
  let fail: { readonly call: number; readonly code: string } | undefined;

  const called = (name: keyof TierFiles) => {
    calls.push(name);
    if (fail?.call === calls.length - 1) throw systemError(fail.code);
  };
  const free = (directory: string): number => {
    const size = capacity[directory];
    if (size === undefined) throw systemError("ENOENT");
    let used = 0;
    for (const [path, file] of files) if (dirname(path) === directory) used += file.bytes.length;
    return size - used;
  };
  const descriptor = (file: { bytes: Buffer }, path: string): number => {
    if (open.size >= openMax) throw systemError("EMFILE");
    open.set(nextFd, Object.assign(file, { directory: dirname(path) }));
    return nextFd++;
  };
  const fileOf = (fd: number) => {
    const file = open.get(fd);
    if (file === undefined) throw systemError("EBADF");
    return file;
  };

  return {
    get paths() {
      return [...files.keys()];
    },
    get openCount() {
      return open.size;
    },
    calls,
    failAt(call, code) {
      fail = { call, code };
    },
    bytesOf: (path) => files.get(path)!.bytes,
    create(path) {
      called("create");
      free(dirname(path));
      if (files.has(path)) throw systemError("EEXIST");
      const file = { bytes: Buffer.alloc(0) };
      const fd = descriptor(file, path);
      files.set(path, file);
      return fd;
    },
    openToRead(path) {
      called("openToRead");
      const file = files.get(path);
      if (file === undefined) throw systemError("ENOENT");
      return descriptor(file, path);
    },
    write(fd, bytes, start, length, position) {
      called("write");
      const file = fileOf(fd);
      const count = Math.min(length, callBytesMax, free(file.directory));
      if (count <= 0 && length > 0) {
        if (silentWhenFull) return 0;
        throw systemError("ENOSPC");
      }
      if (position !== file.bytes.length) throw new Error("files are written from start to end");
      file.bytes = Buffer.concat([file.bytes, bytes.subarray(start, start + count)]);
      return count;
    },
    read(fd, target, at, length, position) {
      called("read");
      const piece = fileOf(fd).bytes.subarray(position, position + Math.min(length, callBytesMax));
      target.set(piece, at);
      return piece.length;
    },
    size(fd) {
      called("size");
      return fileOf(fd).bytes.length;
    },
    close(fd) {
      fileOf(fd);
      open.delete(fd); // also when it fails, as Linux does
      called("close");
    },
    rename(from, to) {
      called("rename");
      const file = files.get(from);
      if (file === undefined) throw systemError("ENOENT");
      files.delete(from);
      files.set(to, file);
    },
    remove(path) {
      called("remove");
      if (!files.delete(path)) throw systemError("ENOENT");
    },
    freeBytes(directory) {
      called("freeBytes");
      return free(directory) + overstated;
    },
  };
}
