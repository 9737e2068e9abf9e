// `--inspect`: waits for a debugger, and stops it right before map or reduce is called.
import inspector from "node:inspector";
import type { JobDefinition } from "../../job/definition.ts";

type MapFunction = JobDefinition["inputs"][number]["map"];
type ReduceFunction = NonNullable<JobDefinition["reduce"]>;

export interface Inspected {
  close(): void;
}

/** The port where debuggers look by themselves. If another process has it, any port is used. */
const portUsual = 9229;

/** Opens the inspector, on the loopback interface only, and returns when a debugger is attached. */
export function openInspector(print: (line: string) => void, what: "map" | "reduce"): Inspected {
  inspector.open(portUsual, "127.0.0.1");
  if (inspector.url() === undefined) inspector.open(0, "127.0.0.1");
  print(`waiting for a debugger at ${inspector.url()}`);
  print(
    `  open chrome://inspect in Chrome, or attach your editor to this Node process; it stops right before ${what} is called`,
  );
  print("");
  inspector.waitForDebugger();
  return { close: () => inspector.close() };
}

/**
 * Wraps map so that the debugger stops before each call. Stepping into the call below leads to the first line of the
 * job's map.
 */
export function inspectedMap(map: MapFunction): MapFunction {
  return (record, emit, ctx) => {
    // biome-ignore lint/suspicious/noDebugger: stopping here is what --inspect is for
    debugger;
    return map(record, emit, ctx);
  };
}

/** The same for reduce. */
export function inspectedReduce(reduce: ReduceFunction): ReduceFunction {
  return (...given) => {
    // biome-ignore lint/suspicious/noDebugger: stopping here is what --inspect is for
    debugger;
    return reduce(...given);
  };
}
