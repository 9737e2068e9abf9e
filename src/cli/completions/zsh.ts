// The script that zsh reads once in a session, or finds as `_millrace` in its `fpath`.
import type { Completed, CompletedCommand, CompletedOption } from "./words.ts";

export function zshScript(commands: readonly CompletedCommand[]): string {
  return `#compdef millrace
# millrace completions for zsh:  source <(millrace completions zsh)
_millrace() {
  local -a commands
  commands=(
${commands.map(({ name, help }) => `    ${quoted(`${name}:${help}`)}`).join("\n")}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  local command=$words[2]
  words=("\${(@)words[2,-1]}")
  (( CURRENT -= 1 ))
  case $command in
${commands.map(commandCase).join("\n")}
  esac
}
compdef _millrace millrace
`;
}

function commandCase({ name, options, arguments: list }: CompletedCommand): string {
  const specs = [...options.map(optionSpec), ...list.map((value, index) => argumentSpec(value, index, list.length))];
  return `    ${name}) _arguments ${specs.join(" ")} ;;`;
}

/** "(-o --output)"{-o,--output}"[help]:value:action"; the braces stand outside of quotes. */
function optionSpec({ names, help, value }: CompletedOption): string {
  const text = quoted(
    `[${help.replaceAll(/[[\]\\]/g, "\\$&")}]${value === undefined ? "" : `:value:${action(value)}`}`,
  );
  if (names.length === 1) return quoted(`*${names[0]}`) + text;
  return `${quoted("*")}{${names.join(",")}}${text}`;
}

/** The last one stands for all that follow. */
function argumentSpec(value: Completed, index: number, count: number): string {
  return quoted(`${index === count - 1 ? "*" : index + 1}:argument:${action(value)}`);
}

function action(value: Completed): string {
  switch (value.kind) {
    case "files":
      return "_files";
    case "folders":
      return "_files -/";
    case "words":
      return `(${value.words.join(" ")})`;
    case "none":
      return " ";
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
