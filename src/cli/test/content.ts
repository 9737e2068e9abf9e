// The content of a published output in units that can be compared, because they must be the same whatever the splits
// were.
//
//   written by reduce   part by part, as the files are
//   written by map      one part per split, so all of them one after the other, decompressed, without headers
import { basename } from "node:path";
import { deadLettersOutput } from "../../base/ids.ts";
import { decompress, detectCompression } from "../../format/compression/compress.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { readManifest } from "../../output/published.ts";
import type { ManifestFile } from "../../storage/manifest.ts";
import type { Storage } from "../../storage/storage.ts";

export interface Published {
  readonly storage: Storage;
  readonly directory: string;
  readonly description: JobDescription;
  readonly files: readonly ManifestFile[];
}

/** A unit of output, which has only one right content. */
export interface Unit {
  /** Name of the part file, or of the output whose parts count together. */
  readonly name: string;
  readonly files: readonly ManifestFile[];
  /** Length of the header at the beginning of each file, which is not compared. */
  readonly headerBytes: number;
}

export async function readPublished(
  storage: Storage,
  directory: string,
  description: JobDescription,
): Promise<Published> {
  const { files } = await readManifest(storage, directory);
  return { storage, directory, description, files };
}

/**
 * Units by name, in the order of the manifest. Dead letters are left out: they hold stacks, and are no part of the
 * result.
 */
export function unitsOf({ files, description }: Published): Map<string, Unit> {
  const units = new Map<string, Unit>();
  // Those of map may have no part in one run and some in another.
  for (const { name, headerBytes } of description.outputs) {
    const parts = files.filter((file) => file.output === name && isOfMap(file));
    units.set(`output ${name}`, { name: `the parts of ${name} that map wrote`, files: parts, headerBytes });
  }
  for (const file of files) {
    if (file.output === deadLettersOutput || isOfMap(file)) continue;
    units.set(file.name, { name: file.name, files: [file], headerBytes: 0 });
  }
  return units;
}

function isOfMap({ name }: ManifestFile): boolean {
  return basename(name).startsWith("part-m-");
}

/** Nothing needs to be read to know that they are the same. */
export function isSurelySame(a: Unit, b: Unit): boolean {
  const digests = (unit: Unit) => unit.files.map(({ sha256 }) => sha256).join();
  return digests(a) === digests(b);
}

/** The unit's content, decompressed; `began` is told where in it each file begins. */
export async function* contentOf(
  { storage, directory }: Published,
  unit: Unit,
  began: (file: ManifestFile, at: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = 0;
  for (const listed of unit.files) {
    began(listed, at);
    let header = unit.headerBytes;
    for await (const chunk of plainContent(storage, `${directory}/${listed.name}`)) {
      const skipped = Math.min(header, chunk.length);
      header -= skipped;
      if (skipped === chunk.length) continue;
      at += chunk.length - skipped;
      yield chunk.subarray(skipped);
    }
  }
}

async function* plainContent(storage: Storage, path: string): AsyncIterable<Uint8Array> {
  const file = await storage.stat(path);
  if (file === undefined) return;
  let head: Uint8Array = new Uint8Array(0);
  for await (const chunk of storage.read(file, 0, Math.min(64, file.bytes))) head = new Uint8Array(chunk);
  const compression = detectCompression(head);
  const stored = storage.read(file, 0, file.bytes);
  yield* compression === "none" ? stored : decompress(compression, stored);
}
