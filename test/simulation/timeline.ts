// Virtual time: a queue of what happens when. Nothing in a simulated world happens but here, so one seed decides everything.
import { Heap } from "../../src/schedule/heap.ts";

/** Something that will happen, unless it is cancelled. */
export interface Planned {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

export class Timeline {
  now = 0;
  /** So many things happened. */
  steps = 0;
  /** Called after each, when all promises that it settled have run. */
  afterEach: () => void = () => {};
  #order = 0;
  readonly #queue = new Heap<Planned>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));

  after(ms: number, run: () => void): Planned {
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
      next.run();
      await settled();
      this.afterEach();
      if (isOver()) return;
    }
    this.now = Math.max(this.now, end);
  }
}

/** One turn of the event loop: every promise that can go on has gone on. There is no I/O that could come between. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
