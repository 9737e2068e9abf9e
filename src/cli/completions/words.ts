// What a command line can be completed with, as the commands and their options tell it.
import type { Argument, Command, Option } from "commander";

/** What a value is completed with. "none": the shell can't know it (numbers, names, addresses). */
export type Completed =
  | { readonly kind: "files" }
  | { readonly kind: "folders" }
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "none" };

export interface CompletedOption {
  /** "--output", then "-o". */
  readonly names: readonly string[];
  readonly help: string;
  /** Undefined: it takes no value. */
  readonly value: Completed | undefined;
}

export interface CompletedCommand {
  readonly name: string;
  readonly help: string;
  readonly options: readonly CompletedOption[];
  /** What its arguments are completed with, in their order; the last one stands for all that follow. */
  readonly arguments: readonly Completed[];
}

export function completedCommands(program: Command): CompletedCommand[] {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    help: command.description(),
    options: [...command.options.filter(({ hidden }) => !hidden).map(completedOption), help],
    arguments: command.registeredArguments.map(completedArgument),
  }));
  const names = commands.map(({ name }) => name);
  return commands.map((each) => (each.name === "help" ? { ...each, arguments: [words(names)] } : each));
}

const help: CompletedOption = { names: ["--help", "-h"], help: "show what it takes", value: undefined };
const words = (list: readonly string[]): Completed => ({ kind: "words", words: list });

function completedOption(option: Option): CompletedOption {
  const names = [option.long, option.short].filter((name) => name !== undefined && name !== null);
  const takesValue = option.required || option.optional;
  return { names, help: option.description, value: takesValue ? completedValue(option) : undefined };
}

function completedValue({ flags, argChoices }: Option): Completed {
  if (argChoices !== undefined) return words(argChoices);
  const [, value = ""] = /<([^>]+)>/.exec(flags) ?? [];
  if (value === "dir") return { kind: "folders" };
  return value === "file" ? { kind: "files" } : { kind: "none" };
}

/** What is described as a file or folder is one; ids and names are not. */
function completedArgument({ argChoices, description }: Argument): Completed {
  if (argChoices !== undefined) return words(argChoices);
  return /\b(?:files?|folders?)\b/i.test(description) ? { kind: "files" } : { kind: "none" };
}
