// GROUP BY of two columns over a file, by the whole product: with a reference that shares no code with it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { millrace, scratchFolder } from "../support/cli.ts";

const job = "test/process/jobs/traffic.ts";

interface Request {
  readonly host: string;
  readonly status: number;
  readonly bytes: number;
  /** Tenths of milliseconds: `ms` is this by 10. */
  readonly tenths: number;
}

/** The same requests every time. */
function requests(count: number): Request[] {
  let state = 1;
  const draw = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  return Array.from({ length: count }, () => ({
    host: `host-${draw(40)}${draw(3) === 0 ? ", ltd" : ""}`,
    status: [200, 301, 404, 500][draw(4)]!,
    bytes: draw(100_000),
    tenths: draw(50_000),
  }));
}

/** By sorting all of them. The sum of tenths is a whole number, so that the sums of the fractions are known exactly. */
function expected(all: readonly Request[]): string {
  const sorted = all.toSorted((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : a.status - b.status));
  const lines = ["host,status,n,total,time,slowest,avg"];
  for (let from = 0; from < sorted.length; ) {
    const { host, status } = sorted[from]!;
    let to = from;
    while (to < sorted.length && sorted[to]!.host === host && sorted[to]!.status === status) to++;
    const group = sorted.slice(from, to);
    const total = group.reduce((sum, { bytes }) => sum + bytes, 0);
    const time = exactSum(group.map(({ tenths }) => tenths / 10));
    const slowest = Math.max(...group.map(({ tenths }) => tenths / 10));
    const name = host.includes(",") ? `"${host}"` : host;
    lines.push([name, status, group.length, total, time.rounded, slowest, time.mean].join(","));
    from = to;
  }
  return `${lines.join("\n")}\n`;
}

/** In units of 2^-60, which all of these numbers are whole multiples of. */
function exactSum(values: readonly number[]): { readonly rounded: number; readonly mean: number } {
  const total = values.reduce((sum, value) => sum + BigInt(value * 2 ** 60), 0n);
  // Number of a bigint is rounded to the nearest; 2^-60 changes no digit. The quotient has 64 more bits, and no ties.
  const quotient = (total << 64n) / BigInt(values.length);
  return { rounded: Number(total) / 2 ** 60, mean: Number(quotient) / 2 ** 124 };
}

test("GROUP BY host, status is the same CSV with 1 and 2 slots, whole and in 30 splits, and is what sorting all lines gives", async () => {
  const scratch = scratchFolder();
  try {
    const all = requests(30_000);
    const input = join(scratch.path, "requests.ndjson");
    const line = ({ host, status, bytes, tenths }: Request) =>
      `${JSON.stringify({ host, status, bytes, ms: tenths / 10, more: "x" })}\n`;
    writeFileSync(input, all.map(line).join(""));
    const ways = [
      ["--slots", "1"],
      ["--slots", "2", "--split-size", "80KB", "--memory", "128MB"],
    ];
    for (const [i, way] of ways.entries()) {
      const output = join(scratch.path, `out-${i}`);
      const words = ["run", job, input, "-o", output, "--reducers", "1", "--quiet", ...way];
      expect(await millrace(words)).toMatchObject({ code: 0, stderr: "" });
      expect(readFileSync(join(output, "part-00000.csv"), "utf8")).toBe(expected(all));
    }
  } finally {
    scratch.remove();
  }
});

test("millrace test and sim find nothing wrong with aggregates, and replay shows the state of a record", async () => {
  const scratch = scratchFolder();
  try {
    const input = join(scratch.path, "requests.ndjson");
    const line = ({ host, status, bytes, tenths }: Request) =>
      `${JSON.stringify({ host, status, bytes, ms: tenths / 10 })}\n`;
    writeFileSync(input, requests(600).map(line).join(""));
    const tested = await millrace(["test", job, input]);
    expect(tested).toMatchObject({ code: 0 });
    expect(`${tested.stdout}${tested.stderr}`).toContain("combine is associative");
    expect(await millrace(["sim", job, input, "--seeds", "2"])).toMatchObject({ code: 0 });
    const replayed = await millrace(["replay", job, `${input}:0`]);
    expect(replayed).toMatchObject({ code: 0 });
    expect(`${replayed.stdout}${replayed.stderr}`).toMatch(/n: 1/);
  } finally {
    scratch.remove();
  }
});
