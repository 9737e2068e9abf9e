// What stands below the options in a command's help: sentences that are wrapped to the terminal, and examples.
import type { Command } from "commander";

/** Where nothing tells the width. */
const usualWidth = 80;
const continuation = "      ";

/** For `addHelpText`: the text at the width of the terminal. */
export function below(text: string): (context: { readonly command: Command }) => string {
  return ({ command }) => `\n${wrappedHelp(text, command.configureOutput().getOutHelpWidth?.() ?? usualWidth)}`;
}

/** Lines that begin with a space are examples; others are sentences, whose line ends don't count. */
export function wrappedHelp(text: string, width: number): string {
  const lines: string[] = [];
  let paragraph: string[] = [];
  const end = () => {
    if (paragraph.length > 0) lines.push(...wrappedAt(paragraph.join(" ").split(" "), width, ""));
    paragraph = [];
  };
  const given = text
    .trim()
    .replaceAll(/ *\\\n */g, " ")
    .split("\n");
  // Notes stand behind all examples, or above all of them.
  const isWide = given.some((line) => line.startsWith(" ") && line.length > width && noteOf(line) !== undefined);
  for (const line of given) {
    if (line !== "" && !line.startsWith(" ")) paragraph.push(line);
    else {
      end();
      lines.push(...(line === "" ? [""] : exampleLines(line, width, isWide)));
    }
  }
  end();
  return lines.join("\n");
}

const parts = /^( *)(.*?)(?: {2,}(\S.*))?$/;

function noteOf(line: string): string | undefined {
  return parts.exec(line)?.[3];
}

/**
 * A command, and behind it, after several spaces, what it does. What is too long goes on in the next line, as a shell
 * takes it.
 */
function exampleLines(line: string, width: number, isWide: boolean): string[] {
  const note = noteOf(line);
  if (line.length <= width && !(isWide && note !== undefined)) return [line];
  const [, indent, command] = parts.exec(line)!;
  // A word in quotes is not broken.
  const words = command!.match(/(?:'[^']*'|\S)+/g)!;
  const broken = wrappedAt(words, width - " \\".length, continuation, indent!);
  const shell = broken.map((part, index) => (index === broken.length - 1 ? part : `${part} \\`));
  return note === undefined ? shell : [`${indent}# ${note}`, ...shell];
}

function wrappedAt(words: readonly string[], width: number, indent: string, first = ""): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of words) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
