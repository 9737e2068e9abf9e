// Makes an output visible on an object store, which can't rename many objects together. Uploads are completed one by
// one and `_SUCCESS` comes last, so readers that wait for it see all or nothing.
//
//   claim ─► (with --overwrite: _SUCCESS says "replacing") ─► complete uploads ─► _SUCCESS
//         ─► remove what was replaced, and the claim
//
// Any step may be cut off, and two publishers of one decision may be at work at the same time. An upload can be
// completed only once: a later publisher finds it gone, and checks whether the object there is its own. `_SUCCESS` is
// only ever written over exactly what was read before (conditional put), so a publisher that was paused can't bring an
// old state back. Claims keep two jobs apart: each puts its own claim and then lists them all, so at least one of the
// two sees the other. All that this needs of the store is that lists show what was put before.

import { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import { forEachAtMost } from "../../base/system/parallel.ts";
import { showPath } from "../local/fs.ts";
import { decisionName } from "../local/hidden.ts";
import { encodeReplacing, parseReplacing } from "../manifest.ts";
import type { CommitDecision, StagedFile } from "../storage.ts";
import { S3Error } from "./api/error.ts";
import { encodeClaim, type Replaced, readClaim, removeReplaced } from "./claim.ts";
import {
  checkNames,
  claimUrl,
  decodeToken,
  destinationOf,
  isFile,
  manifestUrl,
  type S3Destination,
  type UploadToken,
  urlIn,
} from "./names.ts";
import type { S3Objects } from "./objects.ts";
import {
  beingPublished,
  type Contents,
  contentsOf,
  decisionWithdrawn,
  foreignTo,
  identityOf,
  type OldOutput,
  outputExists,
  outputOf,
} from "./prepare.ts";
import { s3Path } from "./url.ts";

export interface PublishS3Options {
  readonly objects: S3Objects;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

interface Upload {
  readonly file: StagedFile;
  readonly token: UploadToken;
}

/** What a claim says to a publisher that continues an interrupted publish. */
interface Claim {
  readonly replaced: Replaced;
  /** Whether this publisher has put it: no one else relies on it yet. */
  readonly isNew: boolean;
}

/** What `_SUCCESS` is now. */
type Standing =
  | { readonly kind: "none" | "published" }
  | { readonly kind: "replacing"; readonly etag: string }
  | { readonly kind: "old"; readonly output: OldOutput };

/** How often the job with precedence checks whether the other one has withdrawn, and the time between two checks. */
const conflictTriesMax = 30;
const conflictMs = 1000;

export async function publishS3(decision: CommitDecision, options: PublishS3Options): Promise<void> {
  await new Publishing(decision, options).run();
}

class Publishing {
  readonly #decision: CommitDecision;
  readonly #objects: S3Objects;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #destination: S3Destination;
  readonly #uploads: readonly Upload[];

  constructor(decision: CommitDecision, { objects, clock, signal }: PublishS3Options) {
    this.#decision = decision;
    this.#objects = objects;
    this.#clock = clock;
    this.#signal = signal;
    this.#destination = destinationOf(decision.destination);
    checkNames(decision.files, this.#destination);
    this.#uploads = decision.files.map((file) => ({ file, token: decodeToken(file, this.#destination) }));
  }

  async run(): Promise<void> {
    const before = await this.#look();
    if (before.kind !== "published") {
      let claim: Claim | undefined;
      try {
        claim = await this.#takeClaim(before);
        await this.#publish(claim);
      } catch (thrown) {
        // Whatever was in the way: when the output is complete, another publisher of the same decision completed it.
        if (!(await this.#isPublished())) {
          if (claim !== undefined) await this.#giveUp(claim, thrown);
          throw thrown;
        }
      }
    }
    const kept = new Set(this.#decision.files.map(({ name }) => name));
    await removeReplaced(this.#objects, this.#destination, this.#decision.job, kept);
  }

  async #publish(claim: Claim): Promise<void> {
    const { files } = await this.#waitForOthers();
    // Looks again: between the first look and the claim another job may have come and gone.
    let standing = await this.#look();
    if (standing.kind === "published") return;
    const waiting = await this.#checkFiles(files, claim);
    if (standing.kind === "old") {
      await this.#sayReplacing(standing.output, claim);
      standing = await this.#look();
      if (standing.kind === "published") return;
      if (standing.kind !== "replacing") throw outputExists(this.#destination);
    }
    await forEachAtMost(limits.storeRequestsAtOnce, waiting, (upload) => this.#complete(upload));
    await this.#checkSizes();
    await this.#putManifest(standing);
  }

  async #look(): Promise<Standing> {
    const found = await this.#objects.get(manifestUrl(this.#destination));
    if (found === undefined) return { kind: "none" };
    if (found.bytes.equals(this.#decision.manifest)) return { kind: "published" };
    const note = parseReplacing(found.bytes);
    if (note?.job === this.#decision.job) {
      if (note.withdrawn.includes(decisionName(this.#decision))) throw decisionWithdrawn(this.#destination);
      return { kind: "replacing", etag: found.etag };
    }
    if (identityOf(found.bytes) === this.#decision.replaces) {
      const output = outputOf(found, s3Path(manifestUrl(this.#destination)));
      if (typeof output !== "string") return { kind: "old", output };
    }
    throw outputExists(this.#destination);
  }

  async #isPublished(): Promise<boolean> {
    const found = await this.#objects.get(manifestUrl(this.#destination));
    return found?.bytes.equals(this.#decision.manifest) ?? false;
  }

  /** Whether `_SUCCESS` is a note of this job, put by any of its decisions. */
  async #isNoted(): Promise<boolean> {
    const found = await this.#objects.get(manifestUrl(this.#destination));
    return found !== undefined && parseReplacing(found.bytes)?.job === this.#decision.job;
  }

  // ── claims ─────────────────────────────────────────────────────────────────

  async #takeClaim(standing: Standing): Promise<Claim> {
    const url = claimUrl(this.#destination, this.#decision.job);
    const found = await this.#claim();
    if (found !== undefined) return found;
    const replaced = new Map<string, string>();
    if (standing.kind === "old") {
      const { files } = await contentsOf(this.#objects, this.#destination);
      if (foreignTo(standing.output, files) !== undefined) throw outputExists(this.#destination);
      for (const [name, { etag }] of files) replaced.set(name, etag);
    }
    const content = encodeClaim(this.#decision.job, replaced);
    const isNew = await this.#objects.put(url, content, { ifNoneMatch: true });
    return (isNew ? undefined : await this.#claim()) ?? { replaced, isNew };
  }

  async #claim(): Promise<Claim | undefined> {
    const replaced = await readClaim(this.#objects, this.#destination, this.#decision.job);
    return replaced === undefined ? undefined : { replaced, isNew: false };
  }

  /**
   * What lies there, once there is no other job's claim. Of two jobs that claim at the same time, the one with the
   * smaller id waits, and the other one withdraws. If the other one did not see the first one's claim, it is ahead, and
   * its `_SUCCESS` ends the wait.
   */
  async #waitForOthers(): Promise<Contents> {
    const { job } = this.#decision;
    for (let tries = 1; ; tries++) {
      const contents = await contentsOf(this.#objects, this.#destination);
      const standing = await this.#look();
      if (standing.kind === "published") return contents;
      // The job whose output is being replaced has ended, whatever it left.
      const over = standing.kind === "old" ? standing.output.job : undefined;
      const other = contents.claims.find((claim) => claim !== job && claim !== over);
      if (other === undefined) return contents;
      if (other < job || tries === conflictTriesMax) throw beingPublished(this.#destination, other);
      await this.#clock.sleep(conflictMs, this.#signal);
    }
  }

  /** Withdraws a claim on which only this publisher has relied, if nothing has appeared under it nor can. */
  async #giveUp(claim: Claim, thrown: unknown): Promise<void> {
    const isFinal =
      thrown instanceof UploadGone || (thrown instanceof MillraceError && thrown.code === "output-exists");
    if (!claim.isNew || !isFinal) return;
    try {
      // The claim alone says what the job replaces: a publisher that goes on, perhaps with another decision, would take
      // that for someone else's.
      if (claim.replaced.size > 0 && (await this.#isNoted())) return;
      if (thrown instanceof UploadGone) {
        if (thrown.hasVisibleFiles) return;
        await forEachAtMost(limits.storeRequestsAtOnce, this.#uploads, ({ file, token }) =>
          this.#objects.abortUpload(urlIn(this.#destination, file.name), token.upload),
        );
      }
      await this.#objects.remove(claimUrl(this.#destination, this.#decision.job));
    } catch {
      // `discard` removes it; the failure that led here matters more
    }
  }

  // ── files ──────────────────────────────────────────────────────────────────

  /**
   * The uploads that have yet to be completed. Throws `output-exists` for files that are neither ours nor to be
   * replaced.
   */
  async #checkFiles(files: Contents["files"], { replaced }: Claim): Promise<Upload[]> {
    const wanted = new Map(this.#uploads.map((upload) => [upload.file.name, upload]));
    for (const name of files.keys()) {
      if (!wanted.has(name) && !replaced.has(name)) throw outputExists(this.#destination);
    }
    const waiting: Upload[] = [];
    await forEachAtMost(limits.storeRequestsAtOnce, this.#uploads, async (upload) => {
      const there = files.get(upload.file.name);
      if (there !== undefined && replaced.get(upload.file.name) !== there.etag) {
        if (!(await this.#isOurs(upload))) throw outputExists(this.#destination);
        return;
      }
      waiting.push(upload);
    });
    return waiting;
  }

  async #complete(upload: Upload): Promise<void> {
    const { file, token } = upload;
    const url = urlIn(this.#destination, file.name);
    try {
      if (await this.#objects.completeUpload(url, token.upload, token.etags)) return;
    } catch (thrown) {
      // Some stores answer with an error of theirs to what they have done before.
      if (thrown instanceof S3Error && (await this.#isOurs(upload))) return;
      throw thrown;
    }
    if (await this.#isOurs(upload)) return;
    const { files } = await contentsOf(this.#objects, this.#destination);
    const isVisible = this.#uploads.some((each) => files.has(each.file.name));
    throw new UploadGone(file, this.#destination, isVisible);
  }

  async #isOurs({ file, token }: Upload): Promise<boolean> {
    const head = await this.#objects.head(urlIn(this.#destination, file.name));
    return isFile(head, this.#decision.job, file, token.attempt);
  }

  /** Checks that all decided files have the sizes they were written with. */
  async #checkSizes(): Promise<void> {
    const { files } = await contentsOf(this.#objects, this.#destination);
    for (const { name, bytes } of this.#decision.files) {
      const found = files.get(name)?.bytes;
      if (found === bytes) continue;
      throw new MillraceError(
        "corrupt-output",
        `The file ${name} of ${showPath(this.#destination.path)} ${found === undefined ? "is missing" : `has ${found} bytes`}, but its attempt wrote ${bytes}: something else changed it. Run the job again.`,
      );
    }
  }

  // ── the manifest ───────────────────────────────────────────────────────────

  async #sayReplacing(old: OldOutput, { replaced }: Claim): Promise<void> {
    const files = [...new Set([...replaced.keys(), ...this.#decision.files.map(({ name }) => name)])].sort();
    const content = encodeReplacing({ job: this.#decision.job, files, withdrawn: [], isNew: false });
    // If the condition was not met, another publisher was first; the next look says which.
    await this.#objects.put(manifestUrl(this.#destination), content, { ifMatch: old.etag });
  }

  async #putManifest(standing: Standing): Promise<void> {
    const condition = standing.kind === "replacing" ? { ifMatch: standing.etag } : ({ ifNoneMatch: true } as const);
    await this.#objects.put(manifestUrl(this.#destination), this.#decision.manifest, condition);
    // Whether it was put now, by an earlier try whose answer was lost, or by another publisher: only what is there
    // counts.
    if (!(await this.#isPublished())) throw outputExists(this.#destination);
  }
}

/** An upload was aborted, or has expired by a rule of the bucket. */
class UploadGone extends MillraceError {
  readonly hasVisibleFiles: boolean;

  constructor(file: StagedFile, destination: S3Destination, hasVisibleFiles: boolean) {
    super(
      "corrupt-output",
      `The upload of ${file.name} to ${showPath(destination.path)} is gone: it was aborted, or expired by a rule of the bucket's. Retry the job, or run it with --resume: its task runs again.`,
    );
    this.hasVisibleFiles = hasVisibleFiles;
  }
}
