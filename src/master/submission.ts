// The checks before a master accepts a job: everything that would fail later is checked while someone is there to read
// the answer. The job's own code is never loaded here (S3).
import { isAbsolute } from "node:path";
import { MillraceError } from "../base/error.ts";
import type { JobId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { areApart } from "../base/paths.ts";
import type { JobSpec } from "../job/spec.ts";
import type { Blobs, Submission } from "../protocol/services.ts";

/** Inputs, side files, and environment variables of one job: at most this many of each. */
const namesMax = 1_000;
const nameLengthMax = 200;

/** Checks a spec that came over the wire: its bounds, and the forms of texts that become paths and file names. */
export function checkSubmission({ idempotencyKey, spec }: Submission): void {
  check(/^[0-9a-f]{32}$/.test(idempotencyKey), "the idempotency key is not 32 hexadecimal digits");
  check(
    spec.name.length > 0 && spec.name.length <= nameLengthMax,
    `the job's name is empty or longer than ${nameLengthMax}`,
  );
  check(isDigest(spec.bundle), "the bundle's digest is no SHA-256");
  check(isUrl(spec.output) || isAbsolute(spec.output), `the output ${JSON.stringify(spec.output)} is no absolute path`);
  if (spec.deadLetters !== undefined) {
    const { path } = spec.deadLetters;
    check(isUrl(path) || isAbsolute(path), `the folder of dead letters ${JSON.stringify(path)} is no absolute path`);
    check(areApart(spec.output, path), `the folder of dead letters ${path} and the output ${spec.output} overlap`);
  }
  check(isUrl(spec.directory) || isAbsolute(spec.directory), "the job's directory is no absolute path");
  check(spec.inputs.length > 0 && spec.inputs.length <= namesMax, `a job has 1 to ${namesMax} inputs`);
  check(spec.files.length <= namesMax, `a job has at most ${namesMax} side files`);
  for (const file of spec.files) check(isDigest(file.sha256), `the digest of side file ${file.name} is no SHA-256`);
  checkNumber("partitions", spec.partitions, 0, limits.partitionsMax);
  checkNumber("splitBytes", spec.splitBytes, 1, Number.MAX_SAFE_INTEGER);
  checkNumber("attemptsMax", spec.attemptsMax, 1, limits.attemptsGivenMax);
  checkNumber("maxSlots", spec.maxSlots, 1, 1_000_000);
  checkNumber("skipBad", spec.skipBad, 0, Number.MAX_SAFE_INTEGER);
  checkNumber("taskTimeoutMs", spec.taskTimeoutMs, 1, 2 ** 31);
  checkNumber("taskLimitMs", spec.taskLimitMs, 1, 2 ** 31);
  checkNumber("checkpointMs", spec.checkpointMs, 0, 2 ** 31);
  check(Object.keys(spec.environment).length <= namesMax, `a job has at most ${namesMax} environment variables`);
  if (Math.max(Buffer.byteLength(spec.params), spec.paramsValue?.length ?? 0) > limits.paramsBytesMax) {
    throw new MillraceError(
      "over-limit",
      `the job's parameters have more than ${limits.paramsBytesMax} bytes: use a side file`,
    );
  }
}

/** Throws unless the bundle and the side files are here: workers would ask for them in vain. */
export async function checkBlobs({ bundle, files }: JobSpec, blobs: Blobs): Promise<void> {
  const wanted = [
    { what: "the bundle", sha256: bundle },
    ...files.map(({ name, sha256 }) => ({ what: `side file ${name}`, sha256 })),
  ];
  for (const { what, sha256 } of wanted) {
    if (await blobs.has(sha256)) continue;
    throw new MillraceError(
      "bad-input",
      `${what} (${sha256}) has not been put on the master yet: put it, then submit again`,
    );
  }
}

/**
 * The error for an output that another job will publish: two jobs can't publish to one folder, and the first keeps it
 * until its end.
 */
export function outputTaken(output: string, job: JobId): MillraceError {
  return new MillraceError(
    "state-busy",
    `job ${job} is working on the output ${output} already: wait for it to end, or choose another output`,
  );
}

function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//.test(text);
}

function checkNumber(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined) return;
  check(
    Number.isSafeInteger(value) && value >= min && value <= max,
    `${name} is ${value}, not a number from ${min} to ${max}`,
  );
}

function check(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new MillraceError("wrong-usage", `the job can't be taken: ${otherwise}`);
}
