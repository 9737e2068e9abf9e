// Virtual time: a queue of what happens when. Nothing in a simulated world happens but here, so one seed decides
// everything.
import { Heap } from "../schedule/state/heap.ts";

/** Something that will happen, unless it is cancelled. */
export interface Planned {
  readonly at: number;
  readonly order: number;
  run: Work | undefined;
}

/** What takes real time (a job's code) returns a promise, which is waited for before virtual time goes on. */
export type Work = () => void | Promise<void>;

export class Timeline {
  now = 0;
  /** How many things have happened. */
  steps = 0;
  /** Called after each, when all promises that it settled have run. */
  afterEach: () => void = () => {};
  #order = 0;
  readonly #queue = new Heap<Planned>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));

  after(ms: number, run: Work): Planned {
    const planned: Planned = { at: this.now + Math.max(0, ms), order: this.#order++, run };
    this.#queue.push(planned);
    return planned;
  }

  cancel(planned: Planned | undefined): void {
    if (planned !== undefined) planned.run = undefined;
  }

  /** Goes on until then, or until `isOver` says so. */
  async runUntil(end: number, isOver: () => boolean): Promise<void> {
    for (let next = this.#queue.peek(); next !== undefined && next.at <= end; next = this.#queue.peek()) {
      this.#queue.pop();
      if (next.run === undefined) continue;
      this.now = Math.max(this.now, next.at);
      this.steps++;
      const working = next.run();
      if (working !== undefined) await working;
      await settled();
      this.afterEach();
      if (isOver()) return;
    }
    this.now = Math.max(this.now, end);
  }
}

/** One turn of the event loop: every promise that can go on has gone on. Where there is I/O, its work is waited for. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
