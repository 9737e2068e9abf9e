// Which of several masters a client talks to. Only one leads; the others answer with its address, or don't answer. So a
// call that fails goes to the next address at once, and rests when it has been to each of them:
//
//   a (no answer) ─► b ("c leads") ─► c
//
// One walk belongs to one call; where the masters' calls go is shared by all of them.
import { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { parseAddress } from "./address.ts";
import type { Line } from "./line.ts";

export class Masters {
  readonly #given: readonly string[];
  readonly #open: (address: string) => Line;
  readonly #lines = new Map<string, Line>();
  #current: string;

  /** `given` are origins; `open` makes what talks to one of them. */
  constructor(given: readonly [string, ...string[]], open: (address: string) => Line) {
    this.#given = given;
    this.#open = open;
    this.#current = given[0];
  }

  /** The one to ask now. */
  get current(): Line {
    return this.#lineTo(this.#current);
  }

  get all(): Iterable<Line> {
    return this.#lines.values();
  }

  walk(): Walk {
    return new Walk(this);
  }

  /** The addresses to try after a failure at one: the leader's by its word, then the list from there on. */
  after(failed: Line, error: unknown): readonly string[] {
    const at = this.#given.indexOf(failed.address);
    const others = [...this.#given.slice(at + 1), ...this.#given.slice(0, Math.max(at, 0))];
    const leader = leaderOf(error, failed);
    return leader === undefined ? others : [leader, ...others.filter((other) => other !== leader)];
  }

  /** Goes to an address, unless another call has gone elsewhere since. */
  move(from: Line, to: string): void {
    if (this.#current === from.address) this.#current = to;
  }

  #lineTo(address: string): Line {
    let line = this.#lines.get(address);
    if (line === undefined) {
      this.#forgetSurplus();
      line = this.#open(address);
      this.#lines.set(address, line);
    }
    return line;
  }

  /** Masters that came and went, each at an address of its own, would leave a connection each. */
  #forgetSurplus(): void {
    for (const [address, line] of this.#lines) {
      if (this.#lines.size < 2 * limits.mastersMax) return;
      if (address === this.#current || this.#given.includes(address)) continue;
      line.session.abort();
      this.#lines.delete(address);
    }
  }
}

/** The way of one call from master to master. */
export class Walk {
  readonly #masters: Masters;
  readonly #tried = new Set<string>();
  #steps = 0;

  constructor(masters: Masters) {
    this.#masters = masters;
  }

  /**
   * Called when a master has not answered, or does not lead. Returns whether the call should be made again at once;
   * otherwise all have been asked, and a pause comes first.
   */
  failed(line: Line, error: unknown): boolean {
    this.#tried.add(line.address);
    const others = this.#masters.after(line, error);
    const next = others.find((address) => !this.#tried.has(address));
    // Other calls may have gone back to what this one has tried: the number of steps is bounded, too.
    const isRoundOver = next === undefined || ++this.#steps > limits.mastersMax;
    if (isRoundOver) {
      this.#tried.clear();
      this.#steps = 0;
    }
    const to = next ?? others[0];
    if (to !== undefined) this.#masters.move(line, to);
    return !isRoundOver;
  }
}

/**
 * The leader's address, as another master says. No token goes to it in clear text where it would not have without that
 * word.
 */
function leaderOf(error: unknown, { address }: Line): string | undefined {
  if (!(error instanceof MillraceError) || error.code !== "not-leader" || error.leader === undefined) return undefined;
  try {
    const { origin, protocol } = parseAddress(error.leader);
    return protocol === new URL(address).protocol && origin !== address ? origin : undefined;
  } catch {
    return undefined; // no address
  }
}
