import { closeSync, fstatSync, openSync, readSync, renameSync, statfsSync, unlinkSync, writeSync } from "node:fs";

/** The few calls that the tier makes of a file system. They are synchronous, and throw what `node:fs` throws. */
export interface TierFiles {
  /** Creates a file for writing and for reading back. Throws EEXIST where there is one. */
  create(path: string): number;
  openToRead(path: string): number;
  /** Returns the bytes written, which may be fewer than asked for. */
  write(fd: number, bytes: Uint8Array, start: number, length: number, position: number): number;
  /** Returns the bytes read, which may be fewer than asked for; 0 at the end. */
  read(fd: number, target: Uint8Array, at: number, length: number, position: number): number;
  size(fd: number): number;
  close(fd: number): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Bytes that an unprivileged user may still write to the directory's file system. */
  freeBytes(directory: string): number;
}

export const nodeTierFiles: TierFiles = {
  create: (path) => openSync(path, "wx+", 0o600),
  openToRead: (path) => openSync(path, "r"),
  write: writeSync,
  read: readSync,
  size: (fd) => fstatSync(fd).size,
  close: closeSync,
  rename: renameSync,
  remove: unlinkSync,
  freeBytes(directory) {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  },
};
