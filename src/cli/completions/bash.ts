// The script that bash reads once in a session. It works with bash 3.2, the one of macOS.
import type { Completed, CompletedCommand } from "./words.ts";

export function bashScript(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name);
  return `# millrace completions for bash:  source <(millrace completions bash)
_millrace_files() { compopt -o filenames 2>/dev/null; local line; while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$1" -- "$2"); }
_millrace() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}"
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W "${names.join(" ")} --version --help" -- "$cur")); return; fi
  case "$command:$prev" in
${commands.flatMap(valueCases).join("\n")}
  esac
  if [[ $cur == -* ]]; then
    case "$command" in
${commands.map(optionCase).join("\n")}
    esac
    return
  fi
  case "$command" in
${commands.flatMap(argumentCase).join("\n")}
  esac
}
complete -F _millrace millrace
`;
}

function valueCases({ name, options }: CompletedCommand): string[] {
  return options.flatMap(({ names, value }) =>
    value === undefined ? [] : [`    ${names.map((each) => `${name}:${each}`).join("|")}) ${replies(value)} return ;;`],
  );
}

function optionCase({ name, options }: CompletedCommand): string {
  const words = options.flatMap(({ names }) => names).join(" ");
  return `      ${name}) COMPREPLY=($(compgen -W "${words}" -- "$cur")) ;;`;
}

function argumentCase({ name, arguments: list }: CompletedCommand): string[] {
  const known = list.find(({ kind }) => kind !== "none");
  return known === undefined ? [] : [`    ${name}) ${replies(known)} ;;`];
}

function replies(value: Completed): string {
  switch (value.kind) {
    case "files":
      return '_millrace_files -f "$cur";';
    case "folders":
      return '_millrace_files -d "$cur";';
    case "words":
      return `COMPREPLY=($(compgen -W "${value.words.join(" ")}" -- "$cur"));`;
    case "none":
      return "";
  }
}
