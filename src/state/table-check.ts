// Checks the tables of a LevelDB before LevelDB opens them. LevelDB reads them without looking at their checksums, and
// on a damaged block it may end the process by an assertion, or serve data that was never stored. So every block of
// every table that counts is checked here first. The manifest says which ones count: a crash may leave half a table
// that no manifest lists yet. (Formats: doc/table_format.md and doc/log_format.md of LevelDB. Tables are written
// without compression here.)
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../base/error.ts";
import { crc32c } from "./crc32c.ts";
import { ByteReader, Damage, logRecords, unmasked } from "./level-log.ts";

const footerBytes = 48;
const trailerBytes = 5;
const tableMagic = 0xdb4775248b80fb57n;

/** What is wrong with the tables in `directory`; undefined: nothing, or only what LevelDB finds by itself. */
export function tableDamage(directory: string): string | undefined {
  const manifest = readManifest(directory);
  if (manifest === undefined) return undefined;
  const live = liveTables(manifest);
  if (live === undefined) return undefined; // LevelDB finds that by its checksums
  const names = new Map(tableNames(directory));
  for (const number of live) {
    const name = names.get(number);
    if (name === undefined) return `table ${number} is missing`;
    const damage = damageOf(readFileSync(join(directory, name)));
    if (damage !== undefined) return `${name}: ${damage}`;
  }
  return undefined;
}

function tableNames(directory: string): [number, string][] {
  return readdirSync(directory).flatMap((name) => {
    const number = /^(\d+)\.(?:ldb|sst)$/.exec(name)?.[1];
    return number === undefined ? [] : [[Number(number), name] as [number, string]];
  });
}

function readManifest(directory: string): Buffer | undefined {
  try {
    const name = readFileSync(join(directory, "CURRENT"), "latin1").trim();
    return /^MANIFEST-\d+$/.test(name) ? readFileSync(join(directory, name)) : undefined;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined; // the store is new, or LevelDB finds that
    throw error;
  }
}

/** The numbers of the tables that a manifest's edits add up to; undefined when the manifest is damaged. */
function liveTables(manifest: Buffer): ReadonlySet<number> | undefined {
  const live = new Set<number>();
  try {
    for (const record of logRecords(manifest)) applyEdit(new ByteReader(record), live);
  } catch (error) {
    if (error instanceof Damage) return undefined;
    throw error;
  }
  return live;
}

function applyEdit(edit: ByteReader, live: Set<number>): void {
  while (!edit.isAtEnd) {
    const tag = edit.varint();
    switch (tag) {
      case 1: // comparator
        edit.bytes(edit.varint());
        break;
      case 2: // log number
      case 3: // next file number
      case 4: // last sequence
      case 9: // previous log number
        edit.varint();
        break;
      case 5: // compaction pointer: level, key
        edit.varint();
        edit.bytes(edit.varint());
        break;
      case 6: // deleted file: level, number
        edit.varint();
        live.delete(edit.varint());
        break;
      case 7: // new file: level, number, size, smallest, largest
        edit.varint();
        live.add(edit.varint());
        edit.varint();
        edit.bytes(edit.varint());
        edit.bytes(edit.varint());
        break;
      default:
        throw new Damage(`an edit of the unknown kind ${tag}`);
    }
  }
}

function damageOf(table: Buffer): string | undefined {
  try {
    if (table.length < footerBytes || table.readBigUInt64LE(table.length - 8) !== tableMagic) {
      return "it does not end like a table";
    }
    const footer = new ByteReader(table.subarray(table.length - footerBytes));
    const meta = blockAt(table, handleIn(footer));
    const index = blockAt(table, handleIn(footer));
    for (const handle of [...handlesIn(meta), ...handlesIn(index)]) blockAt(table, handle);
    return undefined;
  } catch (error) {
    if (error instanceof Damage) return error.message;
    throw error;
  }
}

interface Handle {
  readonly offset: number;
  readonly size: number;
}

function handleIn(reader: ByteReader): Handle {
  return { offset: reader.varint(), size: reader.varint() };
}

function blockAt(table: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size;
  if (end + trailerBytes > table.length) throw new Damage(`a block beyond the end of the file (${offset})`);
  if (crc32c(table, offset, end + 1) !== unmasked(table.readUInt32LE(end + 1))) {
    throw new Damage(`the block at ${offset} fails its checksum`);
  }
  if (table[end] !== 0) throw new Damage(`the block at ${offset} is compressed, which none is here`);
  return table.subarray(offset, end);
}

/** The values of an index block are the places of other blocks. */
function* handlesIn(block: Buffer): Iterable<Handle> {
  const restarts = block.readUInt32LE(block.length - 4);
  const entries = new ByteReader(block.subarray(0, block.length - 4 * (restarts + 1)));
  while (!entries.isAtEnd) {
    entries.varint(); // bytes that the key shares with the one before
    const keyBytes = entries.varint();
    const valueBytes = entries.varint();
    entries.bytes(keyBytes);
    yield handleIn(new ByteReader(entries.bytes(valueBytes)));
  }
}
