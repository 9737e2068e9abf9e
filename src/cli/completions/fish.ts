// The script that fish reads once in a session, or finds as `millrace.fish` in its folder of completions.
import type { Completed, CompletedCommand } from "./words.ts";

export function fishScript(commands: readonly CompletedCommand[]): string {
  return `# millrace completions for fish:  millrace completions fish | source
complete -c millrace -f
${commands.flatMap(commandLines).join("\n")}
`;
}

function commandLines({ name, help, options, arguments: list }: CompletedCommand): string[] {
  const behind = `-n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
  const known = list.find(({ kind }) => kind !== "none");
  return [
    `complete -c millrace -n __fish_use_subcommand -a ${name} -d ${quoted(help)}`,
    ...options.map(({ names, help: about, value }) => {
      const flags = names.map((each) => (each.startsWith("--") ? `-l ${each.slice(2)}` : `-s ${each.slice(1)}`));
      const takes = value === undefined ? "" : ` -r ${action(value)}`;
      return `complete -c millrace ${behind} ${flags.join(" ")}${takes} -d ${quoted(about)}`;
    }),
    ...(known === undefined ? [] : [`complete -c millrace ${behind} ${action(known)}`]),
  ];
}

function action(value: Completed): string {
  switch (value.kind) {
    case "files":
      return "-F";
    case "folders":
      return `-f -a '(__fish_complete_directories)'`;
    case "words":
      return `-f -a ${quoted(value.words.join(" "))}`;
    case "none":
      return "-f";
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
