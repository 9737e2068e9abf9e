// The process that looks at storage for a master (dist/look.cjs): one request on standard input, one answer on standard
// output. Its cost is bounded from outside: its heap and its time are limited, and it ends when the master's end of the
// pipe is closed.
import type { Host } from "../../base/system/host.ts";
import { createStorage } from "../../storage/any.ts";
import { encodeLine, failureOf, type LookLine } from "./lines.ts";
import { type LookRequest, lookAt } from "./look.ts";

export function main({ warmed }: Host): void {
  let text = "";
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (chunk: string) => {
    text += chunk;
    const end = text.indexOf("\n");
    if (end >= 0) void answer(JSON.parse(text.slice(0, end)) as LookRequest, warmed);
  });
  // The master has ended, or no longer waits.
  process.stdin.on("end", () => process.exit());
}

async function answer(request: LookRequest, warmed: () => void): Promise<void> {
  const say = (line: LookLine) => process.stdout.write(encodeLine(line));
  try {
    const looked = await lookAt(createStorage(), request, (doing) => say({ kind: "doing", doing }));
    say({ kind: "looked", replaces: looked.replaces.map((identity) => identity ?? null) });
    warmed();
  } catch (error) {
    say(failureOf(error));
  }
}
