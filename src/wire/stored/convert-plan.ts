// A plan, whole or in chunks, to protobuf and back.
import type { Plan, PlannedFile, Split } from "../../input/plan.ts";
import { big, num, oneOf, optional } from "../codec.ts";
import type * as pb from "../gen/millrace/v1/plan_pb.ts";

export function toPlan(plan: Plan) {
  return {
    files: plan.files.map(toPlannedFile),
    splits: plan.splits.map(toSplit),
    boundaries: [...plan.boundaries],
    partitions: plan.partitions,
  };
}

export function fromPlan(plan: pb.Plan): Plan {
  return {
    files: plan.files.map(fromPlannedFile),
    splits: plan.splits.map(fromSplit),
    boundaries: plan.boundaries,
    partitions: plan.partitions,
  };
}

export function toPlannedFile({ path, bytes, version, hosts, source, input, compression, headerEnd }: PlannedFile) {
  return {
    path,
    bytes: big(bytes),
    version,
    hosts: [...hosts],
    source,
    input,
    compression,
    headerEnd: optional(headerEnd, big),
  };
}

export function fromPlannedFile({
  path,
  bytes,
  version,
  hosts,
  source,
  input,
  compression,
  headerEnd,
}: pb.PlannedFile): PlannedFile {
  return {
    path,
    bytes: num(bytes),
    version,
    hosts,
    source,
    input,
    compression: oneOf(["none", "gzip", "zstd", "program"], compression),
    ...(headerEnd !== undefined && { headerEnd: num(headerEnd) }),
  };
}

export function toSplit(split: Split) {
  return { pieces: split.map(({ file, start, end }) => ({ file, start: big(start), end: big(end) })) };
}

export function fromSplit(split: pb.Split): Split {
  return split.pieces.map(({ file, start, end }) => ({ file, start: num(start), end: num(end) }));
}

/**
 * Cuts a plan into parts of about `bytesMax` encoded bytes, at least one. An element larger than that is a part of its
 * own. `joinPlans` joins them.
 */
export function cutPlan(plan: Plan, bytesMax: number): Plan[] {
  const parts: Plan[] = [];
  let files: PlannedFile[] = [];
  let splits: Split[] = [];
  let boundaries: Uint8Array[] = [];
  let bytes = 0;
  const close = () => {
    parts.push({ files, splits, boundaries, partitions: plan.partitions });
    files = [];
    splits = [];
    boundaries = [];
    bytes = 0;
  };
  const room = (needed: number) => {
    if (bytes > 0 && bytes + needed > bytesMax) close();
    bytes += needed;
  };
  for (const file of plan.files) {
    room(fileBytesMax(file));
    files.push(file);
  }
  for (const split of plan.splits) {
    room(8 + split.length * pieceBytesMax);
    splits.push(split);
  }
  for (const boundary of plan.boundaries) {
    room(8 + boundary.length);
    boundaries.push(boundary);
  }
  close();
  return parts;
}

export function joinPlans(parts: readonly Plan[]): Plan {
  return {
    files: parts.flatMap((part) => part.files),
    splits: parts.flatMap((part) => part.splits),
    boundaries: parts.flatMap((part) => part.boundaries),
    // Only one of the parts that were cut from bytes has the number.
    partitions: parts.reduce((most, part) => Math.max(most, part.partitions), 0),
  };
}

/** Size of a piece: three varints of at most 8 bytes with their tags, and the length. */
const pieceBytesMax = 30;

function fileBytesMax({ path, source, version, hosts }: PlannedFile): number {
  let bytes = 3 * (path.length + source.length + version.length) + 80;
  for (const host of hosts) bytes += 3 * host.length + 8;
  return bytes;
}
