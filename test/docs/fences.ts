// Reads the code fences of a Markdown page. The words behind the language say what a test does with a fence:
//
//   ts file=NAME        written into the page's workspace under this name and type-checked; run when NAME ends in .test.ts
//   sh [exits=N]        run by bash in the workspace, `millrace` and `node` on the PATH; the last command's exit code is
//                       N (0)
//   text shown          what the last sh before it has written has these lines
//   sh host=NAME        run on a machine of that name, one bash for all of them: test/cluster/guide.test.ts
//   LANG no-run: why    not executed; listed and counted, with its reason
//   text, json, …       output or layout: nothing to execute

export interface Fence {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly file: string | undefined;
  readonly exits: number;
  readonly host: string | undefined;
  readonly reason: string | undefined;
  /** It is what the last block of shell has shown. */
  readonly isShown: boolean;
  readonly code: string;
}

const executable = new Set(["sh", "ts"]);

export function fencesOf(page: string, markdown: string): Fence[] {
  const fences: Fence[] = [];
  const lines = markdown.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const open = /^```(\w+)\s*(.*)$/.exec(lines[i]!);
    if (open === null) continue;
    const start = i;
    while (++i < lines.length && !lines[i]!.startsWith("```"));
    const [, language, words] = open as unknown as [string, string, string];
    fences.push({
      page,
      line: start + 1,
      language,
      file: /(?:^|\s)file=(\S+)/.exec(words)?.[1],
      exits: Number(/(?:^|\s)exits=(\d+)/.exec(words)?.[1] ?? 0),
      host: /(?:^|\s)host=(\S+)/.exec(words)?.[1],
      isShown: /^shown\b/.test(words),
      reason: /(?:^|\s)no-run: (.+)$/.exec(words)?.[1],
      code: `${lines.slice(start + 1, i).join("\n")}\n`,
    });
  }
  return fences;
}

/** By the page's own test; those of hosts have another one. */
export function isExecutable(fence: Fence): boolean {
  return (executable.has(fence.language) || fence.isShown) && fence.host === undefined;
}
