// `millrace clean`: lists what killed runs have left on this machine, and removes it when asked to.
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { isUrl } from "../../base/paths.ts";
import { systemClock } from "../../base/system/clock.ts";
import { dayMs, formatBytes, formatCounted, formatDuration } from "../../base/units.ts";
import { type Leftover, leftovers, removeLeftover } from "../../engine/leftovers.ts";
import { createStorage } from "../../storage/any.ts";
import { showPath } from "../../storage/local/fs.ts";
import { pc } from "../screen/colour.ts";
import { tableLines } from "../screen/columns.ts";
import { printable } from "../screen/error-text.ts";
import { quoted } from "../screen/hints.ts";
import { linePrinter } from "../screen/line-printer.ts";

export interface CleanFlags {
  readonly workDir?: string;
  readonly remove: boolean;
  readonly json: boolean;
}

/** `isTyped`: the work directory is not from a file of settings, whose first run may not have made it yet. */
export async function cleanCommand(
  folders: readonly string[],
  { workDir, remove, json }: CleanFlags,
  isTyped: boolean,
): Promise<void> {
  const print = linePrinter();
  const given = folders.length === 0 ? ["."] : folders;
  for (const folder of given) refuseNoFolder("", folder);
  if (workDir !== undefined && isTyped) refuseNoFolder("--work-dir ", workDir);
  const found = await leftovers([...new Set([...given, workDir ?? tmpdir()].map((folder) => resolve(folder)))]);
  const storage = createStorage();
  const isGone = new Map<Leftover, boolean>();
  if (remove) for (const each of found) isGone.set(each, await removeLeftover(each, storage));
  if (json) {
    for (const each of found)
      print(
        JSON.stringify({
          event: "left",
          ...each,
          changedMs: Math.round(each.changedMs),
          removed: isGone.get(each) ?? false,
        }),
      );
    return;
  }
  if (found.length === 0) return print("nothing is left of killed runs");
  for (const line of leftoverLines(found, systemClock.date().getTime())) print(line);
  const bytes = found.reduce((sum, { diskBytes, memoryBytes }) => sum + diskBytes + memoryBytes, 0);
  const all = `${formatCounted(found.length, "leftover")}, ${formatBytes(bytes)}`;
  print("");
  if (!remove) {
    const command = [
      "millrace clean",
      ...folders.map(quoted),
      ...(workDir === undefined ? [] : ["--work-dir", quoted(workDir)]),
    ];
    print(`${all}. Runs with an output go on with  --resume ; to remove all of this:  ${command.join(" ")} --remove`);
    return;
  }
  const kept = found.filter((each) => isGone.get(each) !== true);
  if (kept.length === 0) return print(`${pc.green("removed")} ${all}`);
  process.exitCode = 4;
  for (const { path } of kept)
    print(`${pc.red("kept")} ${printable(showPath(path))}: it is in use again, or can't be removed`);
}

/** Nothing left and a misspelt folder look the same. */
function refuseNoFolder(option: string, folder: string): void {
  if (isUrl(folder)) {
    const what = `${option}${showPath(folder)} is on an object store, and this looks at folders of this machine`;
    throw new MillraceError("wrong-usage", `${what}: what a run leaves here is in --work-dir or the temporary folder`);
  }
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return;
  const why = found === undefined ? "there is no such folder" : "it is no folder";
  throw new MillraceError("wrong-usage", `${option}${showPath(folder)}: ${why}`);
}

function ageText(ms: number): string {
  const days = Math.floor(ms / dayMs);
  return days > 0 ? formatCounted(days, "day") : formatDuration(ms);
}

export function leftoverLines(found: readonly Leftover[], nowMs: number): string[] {
  return tableLines(
    ["WHAT", "AGE", "ON DISK", "IN MEMORY", "WHERE"],
    found.map(({ kind, output, changedMs, diskBytes, memoryBytes, path }) => [
      kind === "output"
        ? `run for ${printable(output ?? "")}`
        : kind === "temporary"
          ? "run without an output"
          : "memory tier",
      ageText(Math.max(0, nowMs - changedMs)),
      formatBytes(diskBytes),
      formatBytes(memoryBytes),
      printable(showPath(path)),
    ]),
  );
}
