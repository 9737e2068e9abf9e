/** An event that happens once, and lets every waiter go on. To wait again, make a new one. */
export class Signal {
  readonly #raised: Promise<void>;
  #raise: () => void = () => {};

  constructor() {
    this.#raised = new Promise((resolve) => (this.#raise = resolve));
  }

  raise(): void {
    this.#raise();
  }

  async wait(signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return await this.#raised;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done, { once: true });
      void this.#raised.then(done);
    });
  }
}
