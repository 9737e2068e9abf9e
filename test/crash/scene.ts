// What can be interrupted, and what must hold whatever is: a history kept outside the victim (the lines it wrote)
// against what is on the disk.
import type { Victims } from "./bundle.ts";

export interface Scene {
  readonly name: string;
  /** The script in test/crash/victims that it needs. */
  readonly victim: string;
  /** Makes what is there before the first life, in an empty folder. */
  prepare(folder: string): Promise<void>;
  /** What Node is to run, in each life. */
  words(folder: string, victims: Victims): readonly string[];
  /**
   * Throws unless the folder holds all that was said, and is a state that a life may go on from. Changes nothing in it.
   * `isOver`: the last life has ended by itself, as it should.
   */
  check(folder: string, said: readonly string[], isOver: boolean): Promise<void>;
  /** The codes of Millrace that a failing call may lead to, by the error of the system. */
  readonly codes: Readonly<Record<string, readonly string[]>>;
}
