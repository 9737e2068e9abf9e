// tinybench with what one run of a task handles: prints nanoseconds a record and MB/s of the fastest run, as others may
// share the machine. A word on the command line picks the tasks whose names contain it.
import { Bench } from "tinybench";

export interface Measured {
  /** `run` handles this many records and bytes, and returns nothing. */
  add(name: string, handled: { readonly records: number; readonly bytes: number }, run: () => void): void;
  /** Runs everything that was added, one after the other, and prints the table. */
  print(): Promise<void>;
}

export function createMeasured(): Measured {
  const filter = process.argv[3] ?? "";
  const bench = new Bench({ time: 500, warmupTime: 200, throws: true });
  const sizes = new Map<string, { readonly records: number; readonly bytes: number }>();
  return {
    add(name, handled, run) {
      if (!name.includes(filter)) return;
      sizes.set(name, handled);
      bench.add(name, run);
    },
    async print() {
      await bench.run();
      for (const { name, result } of bench.tasks) {
        if (!("latency" in result)) throw new Error(`${name} was not measured`);
        const { records, bytes } = sizes.get(name)!;
        const ns = result.latency.min * 1e6;
        console.log(
          `${name.padEnd(44)} ${(ns / records).toFixed(1).padStart(8)} ns/record ${((bytes / ns) * 1e3).toFixed(0).padStart(6)} MB/s`,
        );
      }
    },
  };
}
