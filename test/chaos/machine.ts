// A part of the cluster that dies and is started again, at the same place each time.
import type { ClusterProcess } from "../cluster/processes.ts";

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export class Machine {
  readonly name: string;
  readonly #start: () => Promise<ClusterProcess>;
  #process: ClusterProcess | undefined;
  /** A fault has it: no other one takes it meanwhile. */
  isTaken = false;
  #isOver = false;

  constructor(name: string, start: () => Promise<ClusterProcess>) {
    this.name = name;
    this.#start = start;
  }

  get process(): ClusterProcess | undefined {
    const { child } = this.#process ?? {};
    return child !== undefined && child.exitCode === null && child.signalCode === null ? this.#process : undefined;
  }

  /** Tries until it runs: what it needs may be down too, and a fault may meet it while it starts. */
  async start(): Promise<void> {
    let last: unknown;
    for (let tries = 0; tries < 60 && !this.#isOver; tries++) {
      if (this.process !== undefined) return;
      try {
        this.#process = await this.#start();
        return;
      } catch (error) {
        last = error;
        await pause(500);
      }
    }
    if (!this.#isOver) throw new Error(`${this.name} does not start again`, { cause: last });
  }

  signal(signal: NodeJS.Signals): boolean {
    return this.process?.child.kill(signal) === true;
  }

  /** Resolves when its process is gone, with what it ended with. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    const ending = await this.#process?.ended;
    return ending?.signal ?? ending?.code ?? null;
  }

  /** For good. */
  async kill(): Promise<void> {
    this.#isOver = true;
    this.signal("SIGKILL");
    await this.ended();
  }
}
