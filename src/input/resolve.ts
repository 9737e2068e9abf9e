// Turns arguments into files: which ones, in which order, of which version and with which compression.
import { relative } from "node:path";
import { MillraceError } from "../base/error.ts";
import { absolutePath, isAbsoluteOrUrl, isUrl, refuseNoPath, spooledFile } from "../base/paths.ts";
import { headBytesLooked, readsText, refuseForeign, tailBytesLooked } from "../format/blocks/content.ts";
import type { InputFormat } from "../format/format.ts";
import type { JobSpec } from "../job/spec.ts";
import type { FileInfo, Storage } from "../storage/storage.ts";
import type { PlannedFile } from "./plan.ts";

/** The part of a job's spec that says which files stand for what could be read only once. */
export type Spooled = Partial<Pick<JobSpec, "standardInput" | "spooled">>;

export interface ResolveOptions {
  readonly storage: Storage;
  /** In the order in which the job declares its inputs; a job with one input has one named "". */
  readonly inputs: readonly { readonly name: string; readonly paths: readonly string[] }[];
  /** The absolute path that relative paths start from. */
  readonly directory: string;
  /** The files that `-` and FIFOs stand for. Left out: none is given. */
  readonly spooled?: Spooled | undefined;
  /** Tells the compression from a file's first bytes: `format/compression/compress.ts`. */
  readonly detectCompression: (head: Uint8Array) => PlannedFile["compression"];
  /** Where given, files that an input's format can't read are refused by their first bytes. */
  readonly formatOf?: (input: number) => InputFormat<unknown>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The files of each input: its arguments in the order given, and the files of an argument in the order of their paths'
 * bytes. A file that two arguments of an input name is read once, where the first one names it; two inputs may both
 * read it. Throws `no-input` for an argument that names no file, `wrong-usage` where there is no argument, `bad-input`
 * for a file that can't be read.
 */
export async function resolveInputs({
  storage,
  inputs,
  directory,
  spooled,
  detectCompression,
  formatOf,
  signal,
}: ResolveOptions): Promise<PlannedFile[]> {
  const files: PlannedFile[] = [];
  for (const [input, { name, paths }] of inputs.entries()) {
    if (paths.length === 0) {
      const which = name === "" ? "" : ` for the input ${JSON.stringify(name)}`;
      throw new MillraceError("wrong-usage", `There is nothing to read: no file was given${which}.`);
    }
    for (const file of await filesOf(storage, paths, directory, spooled)) {
      if (signal?.aborted) throw new MillraceError("cancelled", "The job was cancelled while its input was looked at.");
      const head = await headOf(storage, file, headBytesLooked);
      const compression = detectCompression(head);
      const format = formatOf?.(input);
      if (format !== undefined && compression === "none") await checkContent(storage, file, head, format);
      files.push({ ...file, input, compression });
    }
  }
  return files;
}

/** The files that the arguments name, each once, where it is mentioned first. */
export async function filesOf(
  storage: Storage,
  paths: readonly string[],
  directory: string,
  spooled: Spooled = {},
): Promise<(FileInfo & { readonly source: string })[]> {
  const found = new Map<string, FileInfo & { readonly source: string }>();
  for (const given of paths) {
    refuseNoPath("an input", given);
    const file = spooledFile(spooled, given);
    const listed = await storage.list(file ?? absolutePath(directory, given));
    if (listed.length === 0) throw noInput(hintFor(given));
    for (const each of listed) {
      if (found.has(each.path)) continue;
      const shown = isAbsoluteOrUrl(given) ? each.path : relative(directory, each.path);
      found.set(each.path, { ...each, source: file === undefined ? shown : given });
    }
  }
  return [...found.values()];
}

/** Throws `bad-input`, naming the file, where its content is not what the format reads. */
async function checkContent(
  storage: Storage,
  file: FileInfo & { readonly source: string },
  head: Uint8Array,
  format: InputFormat<unknown>,
): Promise<void> {
  if (!readsText(format)) return;
  const tail = () => bytesOf(storage, file, Math.max(0, file.bytes - tailBytesLooked), file.bytes);
  try {
    await refuseForeign(head, format, tail);
  } catch (thrown) {
    if (!(thrown instanceof MillraceError) || thrown.code !== "bad-input") throw thrown;
    throw new MillraceError("bad-input", `${file.source}: ${thrown.message}`, { cause: thrown });
  }
}

/** The first bytes of a file as they are stored, at most `bytes` of them. */
export async function headOf(storage: Storage, file: FileInfo, bytes: number): Promise<Uint8Array> {
  return await bytesOf(storage, file, 0, Math.min(bytes, file.bytes));
}

async function bytesOf(storage: Storage, file: FileInfo, start: number, end: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  if (start < end) for await (const chunk of storage.read(file, start, end)) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

function noInput(what: string): MillraceError {
  return new MillraceError("no-input", `There is nothing to read: ${what}.`);
}

function hintFor(path: string): string {
  const shown = JSON.stringify(path);
  const skipped = "Names that begin with . or _ are skipped";
  if (isUrl(path)) return `no object matches ${shown}. Check the bucket and the pattern. ${skipped}`;
  if (/[*?[\]{}]/.test(path)) {
    return `no file matches ${shown}. Check the folder and the pattern (** crosses folders, patterns with spaces need quotes). ${skipped}`;
  }
  return `there is no file ${shown}, or it is a directory without files. Check its spelling and the directory the command runs in. ${skipped}`;
}
