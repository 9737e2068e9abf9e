// Writes plans and decisions by hand, to the same bytes as the library (convert.test.ts compares them): a plan may have
// a million splits and a decision as many files, a master encodes each in one turn of its loop, and the library would
// take seconds.
import type { Plan, PlannedFile, Split } from "../../input/plan.ts";
import type { CommitDecision, StagedFile } from "../../storage/storage.ts";
import { WireWriter } from "../protobuf/writer.ts";

/** `Plan` of plan.proto. */
export function writePlanChunk({ files, splits, boundaries, partitions }: Plan): Uint8Array {
  const writer = new WireWriter(); // not kept, as its buffer may be as large as a plan
  writer.start();
  for (const file of files) writePlannedFile(writer, file);
  for (const split of splits) writeSplit(writer, split);
  for (const boundary of boundaries) writer.presentBytes(3, boundary);
  writer.uint(4, partitions);
  return writer.finish();
}

function writePlannedFile(writer: WireWriter, file: PlannedFile): void {
  const message = writer.begin(1);
  writer.string(1, file.path);
  writer.uint(2, file.bytes);
  writer.string(3, file.version);
  for (const host of file.hosts) writer.presentString(4, host);
  writer.uint(5, file.input);
  writer.string(6, file.compression);
  writer.string(7, file.source);
  if (file.headerEnd !== undefined) writer.presentUint(8, file.headerEnd);
  writer.end(message);
}

function writeSplit(writer: WireWriter, split: Split): void {
  const message = writer.begin(2);
  for (const { file, start, end } of split) {
    const piece = writer.begin(1);
    writer.uint(1, file);
    writer.uint(2, start);
    writer.uint(3, end);
    writer.end(piece);
  }
  writer.end(message);
}

/** `CommitDecision` of stored.proto. */
export function writeDecision({ job, deadLetters, ...folder }: CommitDecision): Uint8Array {
  const writer = new WireWriter();
  writer.start();
  writer.string(1, job);
  writeFolder(writer, folder, 2);
  if (deadLetters !== undefined) {
    const message = writer.begin(6);
    writeFolder(writer, deadLetters, 1);
    writer.end(message);
  }
  return writer.finish();
}

/** Writes the fields that both messages have, from the number `first` on. */
function writeFolder(writer: WireWriter, folder: NonNullable<CommitDecision["deadLetters"]>, first: number): void {
  writer.string(first, folder.destination);
  for (const file of folder.files) writeStagedFile(writer, file, first + 1);
  if (folder.replaces !== undefined) writer.presentString(first + 2, folder.replaces);
  if (folder.manifest.length > 0) writer.presentBytes(first + 3, folder.manifest);
}

function writeStagedFile(writer: WireWriter, file: StagedFile, field: number): void {
  const message = writer.begin(field);
  writer.string(1, file.output);
  writer.string(2, file.name);
  writer.uint(3, file.bytes);
  writer.uint(4, file.records);
  writer.string(5, file.sha256);
  writer.string(6, file.token);
  writer.end(message);
}
