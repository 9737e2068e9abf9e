// `millrace completions SHELL`: prints what a shell completes command lines by.
import type { Command } from "commander";
import { bashScript } from "../completions/bash.ts";
import { fishScript } from "../completions/fish.ts";
import { completedCommands } from "../completions/words.ts";
import { zshScript } from "../completions/zsh.ts";
import { linePrinter } from "../screen/line-printer.ts";

export const shells = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export function completionsCommand(shell: keyof typeof shells, program: Command): void {
  linePrinter()(shells[shell](completedCommands(program)).trimEnd());
}
