// What a master checks before it takes a job: everything that would fail later, asked while somebody is there to read the
// answer. The job's own code is never loaded here (S3).
import { isAbsolute, resolve } from "node:path";
import type { Clock } from "../base/clock.ts";
import { MillraceError } from "../base/error.ts";
import type { JobId } from "../base/ids.ts";
import { limits, MiB } from "../base/limits.ts";
import { areApart } from "../base/paths.ts";
import type { JobSpec } from "../job/spec.ts";
import type { Blobs, Submission } from "../rpc/services.ts";
import type { Storage } from "../storage/storage.ts";

/** Looking at inputs and output takes no longer: a file server that hangs is named instead of waited for. */
const probeMs = 30_000;
const paramsBytesMax = 1 * MiB;
const attemptsMaxMax = 100;
const namesMax = 1_000;
const nameLengthMax = 200;

/** Of a spec that came over a wire: bounds, and forms that paths and file names are made of. */
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
  checkNumber("attemptsMax", spec.attemptsMax, 1, attemptsMaxMax);
  checkNumber("slotsMax", spec.slotsMax, 1, 1_000_000);
  checkNumber("deadLettersMax", spec.deadLettersMax, 0, Number.MAX_SAFE_INTEGER);
  checkNumber("taskTimeoutMs", spec.taskTimeoutMs, 1, 2 ** 31);
  checkNumber("taskLimitMs", spec.taskLimitMs, 1, 2 ** 31);
  check(Object.keys(spec.environment).length <= namesMax, `a job has at most ${namesMax} environment variables`);
  if (Buffer.byteLength(spec.params) > paramsBytesMax) {
    throw new MillraceError(
      "over-limit",
      `the job's parameters have more than ${paramsBytesMax} bytes: use a side file`,
    );
  }
}

/** The bundle and the side files are here: a worker would ask for them in vain. */
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

export interface Probing {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/** Throws where the master can't see an input; the worker that plans the job sees to it that it can, too. */
export async function probeInputs({ inputs, directory, standardInput }: JobSpec, probing: Probing): Promise<void> {
  for (const { paths } of inputs) {
    for (const path of paths) {
      const place = path === "-" ? (standardInput ?? path) : isUrl(path) ? path : resolve(directory, path);
      const found = await within(probing, `looking for the input ${place}`, (signal) =>
        probing.storage.list(place, signal),
      );
      if (found.length > 0) continue;
      throw new MillraceError(
        "no-input",
        `the master sees no file ${place}: inputs have to be where master and workers can read them, a shared directory for example`,
      );
    }
  }
}

/** As `Storage.prepare`; who waits for a storage that hangs is told so. */
export async function prepareOutput(spec: JobSpec, overwrite: boolean, probing: Probing): Promise<JobSpec> {
  const prepare = (path: string) => (signal: AbortSignal) => probing.storage.prepare(path, overwrite, signal);
  const { replaces } = await within(probing, `looking at the output ${spec.output}`, prepare(spec.output));
  const { deadLetters } = spec;
  if (deadLetters === undefined) return { ...spec, replaces };
  const { path } = deadLetters;
  const aside = await within(probing, `looking at the folder of dead letters ${path}`, prepare(path));
  return { ...spec, replaces, deadLetters: { ...deadLetters, replaces: aside.replaces } };
}

/** Work on a file system can't be interrupted (it may hang in the kernel); whoever waits can. */
export async function within<T>(
  { clock, signal }: Probing,
  doing: string,
  begin: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timer = new AbortController();
  const stop = () => timer.abort();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    signal?.throwIfAborted();
    const work = begin(timer.signal);
    work.catch(() => {}); // it may still fail when no one waits any more
    const tooLong = clock.sleep(probeMs, timer.signal).then((): never => {
      signal?.throwIfAborted();
      throw new MillraceError(
        "unreachable",
        `${doing} takes the master more than ${probeMs / 1000} s: is the storage it is on there? Then submit again`,
      );
    });
    tooLong.catch(() => {}); // after the work is done
    return await Promise.race([work, tooLong]);
  } finally {
    signal?.removeEventListener("abort", stop);
    timer.abort();
  }
}

/** Two jobs may not publish to one place; the first has it until it has ended. */
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
