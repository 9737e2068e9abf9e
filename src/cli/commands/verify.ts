// `millrace verify`: checks whether a published output is still what its manifest says.

import { MillraceError } from "../../base/error.ts";
import { formatBytes } from "../../base/units.ts";
import { verifyOutput } from "../../output/published.ts";
import { createStorage } from "../../storage/any.ts";
import { showPath } from "../../storage/local/fs.ts";
import { pc } from "../screen/colour.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";

export async function verifyCommand(output: string, { json }: { readonly json: boolean }): Promise<void> {
  if (output === "") throw new MillraceError("wrong-usage", "name the folder of an output");
  const print = linePrinter();
  const { manifest, bytes, problems } = await verifyOutput(createStorage(), output, ({ kind, name, text }) => {
    if (json) print(JSON.stringify({ event: "problem", kind, name, message: text }));
    else print(`${pc.red("differs")} ${printable(text)}`);
  });
  const { job, files } = manifest;
  if (json) print(JSON.stringify({ event: "verified", output, job: job.id, files: files.length, bytes, problems }));
  if (problems > 0) {
    throw new MillraceError(
      "corrupt-output",
      `${showPath(output)} is not what its manifest says: ${problems} ${problems === 1 ? "difference" : "differences"}. Make it again, or restore it from a copy.`,
    );
  }
  if (json) return;
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  print(
    `${pc.green("ok")} ${count}, ${formatBytes(bytes)}, as ${printable(job.name)} (job ${printable(job.id)}) wrote them`,
  );
}
