// Values in LevelDB with a checksum that shows damage, and the errors of a store in words.
import { crc32Of } from "../base/bytes/checksum.ts";
import { MillraceError, systemCode } from "../base/error.ts";

const crcBytes = 4;

/** A value as it is stored: the CRC-32 of key and value, then the value. */
export function seal(key: Buffer, value: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(crcBytes + value.length);
  sealed.set(value, crcBytes);
  sealed.writeUInt32LE(crc32Of(value, crc32Of(key)), 0);
  return sealed;
}

export function checksumOf(sealed: Buffer): number {
  return sealed.length < crcBytes ? 0 : sealed.readUInt32LE(0);
}

/** Makes the errors of a store, with what to do about them. */
export class Trouble {
  readonly #directory: string;
  readonly #mend: string;

  constructor(directory: string, mend = "Nothing was published from it: remove the folder and run the job again") {
    this.#directory = directory;
    this.#mend = mend;
  }

  unseal(key: Buffer, sealed: Buffer): Buffer {
    const value = sealed.subarray(crcBytes);
    if (sealed.length < crcBytes || checksumOf(sealed) !== crc32Of(value, crc32Of(key))) {
      throw this.corrupt(`the record ${JSON.stringify(key.toString("utf8"))} fails its checksum`);
    }
    return value;
  }

  ofOpening(error: unknown): MillraceError {
    const cause = (error as { cause?: unknown }).cause ?? error;
    const code = systemCode(cause);
    if (code === "LEVEL_LOCKED") {
      return new MillraceError(
        "state-busy",
        `${this.#directory} is in use by another process: wait for it to end, or choose another output or --work-dir`,
        { cause: error },
      );
    }
    if (code === "LEVEL_CORRUPTION" || (!isOfSystem(cause) && /corruption|checksum|manifest/i.test(text(cause))))
      return this.corrupt(text(cause));
    return this.#inputOutput("opened", cause);
  }

  ofReading(error: unknown): MillraceError {
    if (error instanceof MillraceError) return error;
    if (systemCode(error) === "LEVEL_CORRUPTION" || (!isOfSystem(error) && /corruption|checksum/i.test(text(error))))
      return this.corrupt(text(error));
    return this.#inputOutput("read", error);
  }

  ofWriting(error: unknown): MillraceError {
    if (error instanceof MillraceError) return error;
    if (isFull(error)) return this.#full(error);
    return new MillraceError(
      "io-error",
      `the state in ${this.#directory} can't be written: ${text(error)}. Check the disk and start again`,
      { cause: error },
    );
  }

  corrupt(what: string): MillraceError {
    return new MillraceError("corrupt-state", `the state in ${this.#directory} is damaged (${what}). ${this.#mend}`);
  }

  #full(error: unknown): MillraceError {
    return new MillraceError(
      "no-space",
      `the disk of the state in ${this.#directory} is full: make room and start again`,
      { cause: error },
    );
  }

  /** Opening writes too: it makes a table of the log. */
  #inputOutput(verb: string, error: unknown): MillraceError {
    if (isFull(error)) return this.#full(error);
    return new MillraceError("io-error", `the state in ${this.#directory} can't be ${verb}: ${text(error)}`, {
      cause: error,
    });
  }
}

/** Whether it is the system's error of a call, of which nothing follows for what is stored. LevelDB says so first. */
function isOfSystem(error: unknown): boolean {
  return /^IO error: /.test(text(error)) || /^E[A-Z]+$/.test(systemCode(error) ?? "");
}

function isFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOSPC" || code === "EDQUOT" || /no space left|quota/i.test(text(error));
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
