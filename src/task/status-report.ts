import type { Position } from "../base/ids.ts";
import type { StatusPage, TaskStatus } from "./environment.ts";

/** Keeps the numbers of the status page, which is written whole each time. */
export class StatusReport {
  /** Whether the page is written before each record, so that a death names the record. */
  readonly careful: boolean;
  records = 0;
  bytes = 0;
  hasCheckpoint = false;
  readonly #page: StatusPage;
  #phase: TaskStatus["phase"] = "setup";
  #at: Position | undefined;
  #key: string | undefined;

  constructor(page: StatusPage, careful: boolean) {
    this.#page = page;
    this.careful = careful;
  }

  phase(phase: TaskStatus["phase"]): void {
    this.#phase = phase;
    this.#at = undefined;
    this.#key = undefined;
    this.touch();
  }

  /** Says which record or batch is worked on from now. */
  record(file: number, offset: number): void {
    this.#at = { file, offset };
    this.touch();
  }

  /** Says which key's values have been read for long, by its excerpt; undefined: there is none. */
  key(key: string | undefined): void {
    this.#key = key;
    this.touch();
  }

  /** Repeats the last report: a sign of life within a long call. */
  readonly touch = (): void => {
    const status = { phase: this.#phase, records: this.records, bytes: this.bytes, at: this.#at };
    if (this.#key === undefined && !this.hasCheckpoint) this.#page.write(status);
    else
      this.#page.write({
        ...status,
        ...(this.#key !== undefined && { key: this.#key }),
        ...(this.hasCheckpoint && { hasCheckpoint: true }),
      });
  };
}
