// Reads a file of settings: the values of run options by their names, written as `run()` takes them. Its paths are
// relative to the file. Loaded where there is such a file.
import { dirname, resolve } from "node:path";
import { didYouMean } from "../../base/closest.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { flagOf, type OfCommand, runOption, runOptionNames } from "../../engine/run/option-table.ts";
import { checkedOption } from "../../engine/run/options.ts";
import { parseAddresses } from "../../rpc/client/address.ts";
import { noCluster } from "../arguments.ts";
import type { Setting } from "./apply.ts";
import { type SettingsFile, shownFile } from "./find.ts";

const namesInFile = runOptionNames.filter((name): name is OfCommand => runOption(name).inFile === true);

/** Throws `wrong-usage`, which names the file, for whatever is in it and is no setting. */
export function readSettings(file: SettingsFile): readonly Setting[] {
  const shown = shownFile(file);
  const where = file.isPackage ? `the key millrace of ${shown}` : shown;
  const given = contentOf(file, shown);
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new MillraceError("wrong-usage", `${where} must be an object of settings by name, not ${excerptOf(given)}`);
  const all = Object.entries(given as Readonly<Record<string, unknown>>).map(([key, value]): Setting => {
    const name = namesInFile.find((each) => each === key);
    if (name === undefined) throw new MillraceError("wrong-usage", `${where}: ${noSetting(key)}`);
    try {
      return {
        name,
        value: checkedValue(name, value, dirname(file.path)),
        text: textOf(value),
        from: where,
        source: "config",
      };
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      throw new MillraceError(error.code, `${where}: ${error.message}`, { cause: error });
    }
  });
  // A flag that is not set is no setting: there is no option that says so.
  return all.filter(({ value }) => value !== false);
}

function contentOf({ text, isPackage }: SettingsFile, shown: string): unknown {
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new MillraceError("wrong-usage", `${shown} is not JSON: ${(error as Error).message}`);
  }
  return isPackage ? (content as { readonly millrace: unknown }).millrace : content;
}

function noSetting(key: string): string {
  const other = runOptionNames.find((name) => name === key && runOption(name).flag !== undefined);
  if (other !== undefined) {
    return `${key} is not for all runs: give ${flagOf(other)} on the command line`;
  }
  return `there is no setting ${JSON.stringify(key)}${didYouMean(key, namesInFile)}; the settings are ${namesInFile.join(", ")}`;
}

/** As a parsed command line has it. */
function checkedValue(name: OfCommand, value: unknown, folder: string): unknown {
  const option = runOption(name);
  // A null would be no value.
  if (value === null) throw new MillraceError("wrong-usage", `${name} is null: leave it out`);
  const checked = checkedOption(option, name, value);
  switch (option.kind) {
    case "directory":
    case "file":
      return resolve(folder, value as string);
    case "address":
      if (checked !== noCluster) parseAddresses(checked as string);
      return checked;
    default:
      return checked;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
