// Named places where a test makes the process die or an operation fail: MILLRACE_FAILPOINT=name:kill, name:error, or
// name:kill:3 for the third time the place is passed. Compiled in, so that what is tested is what is shipped; inert (one
// comparison) unless the variable is set.
import { MillraceError } from "./error.ts";

interface Failpoint {
  readonly name: string;
  readonly action: "kill" | "error";
  /** The passing it fires at, from 1; later passings are left alone. */
  readonly at: number;
}

const armed = parseFailpoint(process.env["MILLRACE_FAILPOINT"]);
let passed = 0;

/** Does nothing, or, when the named place is armed, kills this process with SIGKILL or throws `io-error`. */
export function failpoint(name: string): void {
  if (armed === undefined || armed.name !== name) return;
  passed++;
  if (passed !== armed.at) return;
  if (armed.action === "kill") process.kill(process.pid, "SIGKILL");
  throw new MillraceError("io-error", `failpoint ${name}`, { retry: "elsewhere" });
}

/** "master.beforeCommit:kill:2" → its parts; undefined where nothing is set; throws on nonsense, so no test passes by a typo. */
export function parseFailpoint(text: string | undefined): Failpoint | undefined {
  if (text === undefined || text === "") return undefined;
  const match = /^([\w.-]+):(kill|error)(?::(\d+))?$/.exec(text);
  if (match === null)
    throw new MillraceError(
      "wrong-usage",
      `MILLRACE_FAILPOINT is ${JSON.stringify(text)}, not NAME:kill or NAME:error`,
    );
  return { name: match[1]!, action: match[2] as "kill" | "error", at: Number(match[3] ?? 1) };
}
