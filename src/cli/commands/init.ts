// `millrace init`: writes a job and a test for it, which run as they are, and what a project of jobs needs beside them.
import { writeNew } from "../init/files.ts";
import { checkName, usualName } from "../init/name.ts";
import { plainJob } from "../init/plain.ts";
import { missingProjectFiles } from "../init/project.ts";
import { quoted } from "../screen/hints.ts";

/** Writes into `folder` and returns what the command prints. */
export function initCommand(given: string | undefined, folder: string): readonly string[] {
  const name = given ?? usualName;
  checkName(name);
  return written({ name, folder, ...plainJob(name), inputs: ["FILE"] });
}

interface NewJob {
  readonly name: string;
  readonly folder: string;
  /** The texts of the two files. */
  readonly job: string;
  readonly test: string;
  /** What the printed command reads. */
  readonly inputs: readonly string[];
}

function written({ name, folder, job, test, inputs }: NewJob): readonly string[] {
  const beside = missingProjectFiles(name, folder);
  const files = [{ name: `${name}.ts`, text: job }, { name: `${name}.test.ts`, text: test }, ...beside];
  writeNew(folder, files);
  const names = files.map((file) => file.name);
  return [
    `wrote ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`,
    "",
    ...(beside.some((file) => file.name === "package.json")
      ? ["  npm install                types for your editor, and npx millrace"]
      : []),
    `  millrace test ${name}.test.ts`,
    `  millrace run ${name}.ts ${inputs.map(quoted).join(" ")} -o result`,
  ];
}
