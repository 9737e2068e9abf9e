// Finds the files that an argument names: a file, a directory with everything below it, an output directory by its
// manifest, or a glob. The calls are synchronous: nothing else has to happen meanwhile, and they are ten times as fast
// for many files.
import { type BigIntStats, constants, type Dirent } from "node:fs";
import { join } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { manifestName, parseManifest } from "../manifest.ts";
import type { FileInfo, FoundBelow } from "../storage.ts";
import { inputError, type LocalFs, openForReading, showPath } from "./fs.ts";
import { directoriesAbove, globPaths, hasGlob, isHidden, isSame } from "./glob.ts";

/**
 * File systems of the kernel: their files have no size before they are read, and reading some of them changes
 * something.
 */
const kernelFileSystems: ReadonlyMap<number, string> = new Map([
  [0x9fa0, "proc"],
  [0x62656572, "sysfs"],
  [0x64626720, "debugfs"],
  [0x74726163, "tracefs"],
  [0x73636673, "securityfs"],
  [0x27e0eb, "cgroup"],
  [0x63677270, "cgroup2"],
  [0xcafe4a11, "bpf"],
  [0x62656570, "configfs"],
]);

export class LocalLister {
  readonly #fs: LocalFs;
  /** By device number, so that the type is asked for once per file system. */
  readonly #kernelFs = new Map<bigint, string | undefined>();

  constructor(fs: LocalFs) {
    this.#fs = fs;
  }

  /** The files that the argument names, in the order of their paths' bytes, each once. */
  async list(argument: string): Promise<FileInfo[]> {
    const found = new Map<string, FileInfo>();
    const stats = this.#stat(argument);
    if (stats !== undefined) this.#add(argument, stats, [], found);
    else if (hasGlob(argument)) await this.#addGlob(argument, found);
    return inByteOrder([...found.values()]);
  }

  /** One file as it is now; undefined where there is none. */
  file(path: string): FileInfo | undefined {
    const stats = this.#stat(path);
    return stats === undefined ? undefined : this.#fileInfo(path, stats);
  }

  /** Yields everything below a directory, without following links. */
  async *below(directory: string, above = ""): AsyncGenerator<FoundBelow, void, undefined> {
    const path = above === "" ? directory : join(directory, above);
    for (const entry of (await this.#entries(path)) ?? []) {
      const name = above === "" ? entry.name : `${above}/${entry.name}`;
      if (entry.isDirectory()) yield* this.below(directory, name);
      else yield { name, file: entry.isFile() ? this.file(join(directory, name)) : undefined };
    }
  }

  async #entries(path: string): Promise<readonly Dirent[] | undefined> {
    try {
      return await this.#fs.promises.readdir(path, { withFileTypes: true });
    } catch (thrown) {
      const code = systemCode(thrown);
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      throw inputError(thrown, path);
    }
  }

  #add(path: string, stats: BigIntStats, ancestors: readonly BigIntStats[], found: Map<string, FileInfo>): void {
    if (!stats.isDirectory()) {
      found.set(path, this.#fileInfo(path, stats));
      if (found.size <= limits.plannedFilesMax) return;
      throw new MillraceError(
        "over-limit",
        `${showPath(path)} is one file too many: a job reads at most ${limits.plannedFilesMax}. Join small files, or read them by several jobs.`,
      );
    }
    this.#refuseKernelFiles(path, stats);
    // A symbolic link to a directory above it: that directory is being listed already.
    if (ancestors.some((above) => isSame(above, stats))) return;
    const inside = path.endsWith("/") ? path : `${path}/`;
    const listed = this.#mainFilesOf(inside);
    for (const { name, bytes } of listed ?? this.#visibleNames(path)) {
      const below = inside + name;
      const belowStats = this.#stat(below);
      if (belowStats === undefined) throw missing(below, listed !== undefined);
      if (bytes !== undefined && bytes !== Number(belowStats.size)) {
        throw new MillraceError(
          "corrupt-output",
          `${showPath(below)} has ${belowStats.size} bytes, but ${bytes} by ${inside}${manifestName}: it was changed or cut after it was published.`,
        );
      }
      this.#add(below, belowStats, [...ancestors, stats], found);
    }
  }

  /** The main output as an output directory's manifest lists it; undefined where there is no manifest of ours. */
  #mainFilesOf(inside: string): { name: string; bytes: number | undefined }[] | undefined {
    const path = inside + manifestName;
    // For a folder that may not be entered, the error names the folder, not a manifest that it may not even have.
    const stats = this.#stat(path, inside.length > 1 ? inside.slice(0, -1) : inside);
    if (stats === undefined || !stats.isFile() || stats.size === 0n) return undefined;
    if (stats.size > limits.manifestBytesMax) {
      throw new MillraceError(
        "corrupt-output",
        `${showPath(path)} has ${stats.size} bytes, more than a manifest can have: remove it, or name the files beside it by a pattern.`,
      );
    }
    let content: Buffer;
    try {
      content = this.#fs.readFileSync(path);
    } catch (thrown) {
      throw inputError(thrown, path);
    }
    return parseManifest(content, path)?.files.filter((file) => file.output === "main");
  }

  #visibleNames(directory: string): { name: string; bytes: number | undefined }[] {
    try {
      return this.#fs
        .readdirSync(directory)
        .filter((name) => !isHidden(name))
        .map((name) => ({ name, bytes: undefined }));
    } catch (thrown) {
      throw inputError(thrown, directory);
    }
  }

  async #addGlob(argument: string, found: Map<string, FileInfo>): Promise<void> {
    const look = { fs: this.#fs, stat: (path: string) => this.#stat(path) };
    for (const path of await globPaths(argument, look)) {
      const stats = this.#stat(path);
      if (stats === undefined) throw missing(path, false);
      this.#add(path, stats, stats.isDirectory() ? directoriesAbove(path, look) : [], found);
    }
  }

  /** `named` is the path that an error is about. */
  #stat(path: string, named = path): BigIntStats | undefined {
    try {
      return this.#fs.statSync(path, { bigint: true });
    } catch (thrown) {
      const code = systemCode(thrown);
      if (code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG") return undefined;
      throw inputError(thrown, named);
    }
  }

  #fileInfo(path: string, stats: BigIntStats): FileInfo {
    if (!stats.isFile()) {
      throw new MillraceError(
        "bad-input",
        `${showPath(path)} is ${kindOf(stats)}, not a regular file. Copy what it holds to a file, or pipe it in with "-".`,
      );
    }
    this.#refuseKernelFiles(path, stats);
    if (stats.size === 0n) this.#refuseUnsized(path);
    return fileInfo(path, stats);
  }

  #refuseKernelFiles(path: string, stats: BigIntStats): void {
    let name = this.#kernelFs.get(stats.dev);
    if (name === undefined && !this.#kernelFs.has(stats.dev)) {
      name = this.#kernelFsOf(path);
      this.#kernelFs.set(stats.dev, name);
    }
    if (name !== undefined) {
      throw new MillraceError(
        "bad-input",
        `${showPath(path)} lies in the kernel's ${name} file system, where files have no size before they are read. Copy what it holds to a file first.`,
      );
    }
  }

  #kernelFsOf(path: string): string | undefined {
    try {
      return kernelFileSystems.get(this.#fs.statfsSync(path).type);
    } catch {
      return undefined; // not every file system answers; then the files are taken as they are
    }
  }

  /** Refuses a file that says it is empty and isn't: it would be left out silently. */
  #refuseUnsized(path: string): void {
    try {
      const fd = this.#fs.openSync(path, openForReading);
      try {
        if (this.#fs.readSync(fd, Buffer.alloc(1), 0, 1, 0) === 0) return;
      } finally {
        this.#fs.closeSync(fd);
      }
    } catch (thrown) {
      throw inputError(thrown, path);
    }
    throw new MillraceError(
      "bad-input",
      `${showPath(path)} says it is empty, but holds bytes: it is being written, or is not an ordinary file. Copy what it holds to a file first.`,
    );
  }
}

export function fileInfo(path: string, stats: BigIntStats): FileInfo {
  return { path, bytes: Number(stats.size), version: versionOf(stats), hosts: [] };
}

/** Modification time, inode and size: when one of them differs, the content counts as different. */
export function versionOf(stats: BigIntStats): string {
  return `${stats.mtimeNs}.${stats.ino}.${stats.size}`;
}

/** Sorts by UTF-8 bytes, whose order differs from that of JavaScript strings beyond the basic plane. */
export function inByteOrder(files: readonly FileInfo[]): FileInfo[] {
  return files
    .map((file) => ({ file, bytes: Buffer.from(file.path) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ file }) => file);
}

function missing(path: string, listed: boolean): MillraceError {
  if (listed)
    return new MillraceError(
      "corrupt-output",
      `${showPath(path)} is listed in its directory's ${manifestName}, but missing: the output is no longer whole.`,
    );
  const why =
    Buffer.byteLength(path) >= limits.pathBytesMax
      ? `its path has ${limits.pathBytesMax} bytes or more, which no system opens: move it further up`
      : path.includes("\uFFFD")
        ? "its name is not valid UTF-8: rename it"
        : "a symbolic link to nowhere, or removed just now";
  return new MillraceError("bad-input", `${showPath(path)} was found, but can't be opened (${why}).`);
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return stats.isCharacterDevice() || stats.isBlockDevice()
    ? "a device"
    : `of an unknown kind (mode ${Number(stats.mode & BigInt(constants.S_IFMT)).toString(8)})`;
}
