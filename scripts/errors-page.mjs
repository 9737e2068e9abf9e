// docs/errors.md, made from the table of error codes. `--check` only says whether the page is current.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, "docs/errors.md");

const { outputFiles } = await build({
  entryPoints: [join(root, "src/base/error-codes.ts")],
  bundle: true,
  format: "esm",
  write: false,
});
const { errorCodes, exitCodes } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`
);

const remedies = {
  now: "yes",
  mend: "after the job or its input was changed",
  change: "after the command, or what stands in its way, was changed",
};

const groups = [
  ["job", "The job's own code failed, or what was expected of it does not hold (`millrace test`, `millrace sim`)."],
  ["usage", "The command, an option, a parameter or a token is wrong. Nothing was begun."],
  ["data", "Input can't be read, or output is in the way or damaged."],
  ["machine", "The machine, the cluster or Millrace itself failed. Trying again may help, also by a script."],
  ["interrupted", "Ctrl-C, SIGTERM, or somebody cancelled the job. Nothing was published."],
];

function section([ending, text]) {
  const rows = Object.entries(errorCodes)
    .filter(([, meaning]) => meaning.ending === ending)
    .map(
      ([code, { meaning, remedy, grpc, http }]) =>
        `| \`${code}\` | ${meaning} | ${remedies[remedy]} | ${grpc}${http === undefined ? "" : `, ${http}`} |`,
    );
  return [
    `## Exit code ${exitCodes[ending]}`,
    "",
    text,
    "",
    "| code | meaning | try again? | gRPC, HTTP |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

const text = `<!-- Made by \`npm run docs\` from src/base/error-codes.ts: change that table, not this page. -->

# Errors

Every expected failure has a code. It stands in brackets behind the message, in \`error.code\` of what \`run()\` throws, and in the events of
\`--json\`. Codes are stable: scripts may depend on them. The code also decides what a command ends with. An error that says of itself that
trying again may help ends with ${exitCodes.machine}, whatever its code is; so does an error without a code. With ${exitCodes.done} all is done and the result is whole.

${groups.map(section).join("\n")}
The column "gRPC, HTTP" is what a program hears that calls a master or a worker directly; where no HTTP status is given it is 500. The bounds
behind \`over-limit\` are on the page of [limits](limits.md).
`;

if (process.argv.includes("--check")) {
  if (readFileSync(page, "utf8") !== text) {
    console.error("docs/errors.md is not what the table of error codes says: run npm run docs");
    process.exitCode = 1;
  }
} else {
  writeFileSync(page, text);
}
