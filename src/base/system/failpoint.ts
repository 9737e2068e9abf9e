// Named places where a test makes the process die, get a signal, or an operation fail: MILLRACE_FAILPOINT=name:kill,
// name:SIGTERM, name:error, or name:kill:3 for the third time the place is passed. They are compiled in, so that the
// tests run what is shipped; each costs one comparison unless the variable is set.
import { MillraceError } from "../error.ts";

interface Failpoint {
  readonly name: string;
  readonly action: "kill" | "error" | "SIGINT" | "SIGTERM" | "SIGHUP";
  /** The passing at which it fires, from 1; later passings do nothing. */
  readonly at: number;
}

const armed = parseFailpoint(process.env["MILLRACE_FAILPOINT"]);
let passed = 0;

/**
 * Does nothing, or, when the named place is armed, kills this process with SIGKILL, sends it a signal or throws
 * `io-error`.
 */
export function failpoint(name: string): void {
  if (armed === undefined || armed.name !== name) return;
  passed++;
  if (passed !== armed.at) return;
  if (armed.action === "kill") process.kill(process.pid, "SIGKILL");
  else if (armed.action !== "error") process.kill(process.pid, armed.action);
  else throw new MillraceError("io-error", `failpoint ${name}`, { retry: "elsewhere" });
}

/**
 * Parses "master.beforeCommit:kill:2". Returns undefined where nothing is set, and throws on nonsense, so that no test
 * passes because of a typo.
 */
export function parseFailpoint(text: string | undefined): Failpoint | undefined {
  if (text === undefined || text === "") return undefined;
  const match = /^([\w.-]+):(kill|error|SIGINT|SIGTERM|SIGHUP)(?::(\d+))?$/.exec(text);
  if (match === null)
    throw new MillraceError(
      "wrong-usage",
      `MILLRACE_FAILPOINT is ${JSON.stringify(text)}, not NAME:kill, NAME:error or NAME:SIGTERM`,
    );
  return { name: match[1]!, action: match[2] as Failpoint["action"], at: Number(match[3] ?? 1) };
}
