import { describe, expect, it } from "vitest";
import { plan as planOf, spec as specOf } from "../../test/schedule/build.ts";
import type { Plan } from "../input/plan.ts";
import { whyNoPlan } from "./check-plan.ts";

const asked = (paths: readonly string[], directory = "/data", standardInput?: string) =>
  specOf({ directory, standardInput, inputs: [{ name: "", paths }] });

/** A plan of one file. */
function fileAt(path: string, source = path): Plan {
  const plan = planOf(1, 1);
  return { ...plan, files: [{ ...plan.files[0]!, path, source }] };
}

describe("the files of a plan", () => {
  it.each<[string, readonly string[], string]>([
    ["an argument itself", ["/data/a.csv"], "/data/a.csv"],
    ["one relative to the job's folder", ["a.csv"], "/data/a.csv"],
    ["below a folder", ["in"], "/data/in/2026/a.csv"],
    ["below a folder that ends with slashes", ["/data/in//"], "/data/in//a.csv"],
    ["below the root", ["/"], "/etc/hosts"],
    ["of a pattern", ["/data/*/x[0-9].csv"], "/data/in/x7.csv"],
    ["of a name that only looks like a pattern", ["/data/a[1].csv"], "/data/a[1].csv"],
    ["below a folder that only looks like a pattern", ["/data/a[1]"], "/data/a[1]/b"],
    ["of a pattern that goes up", ["/data/{in,../other}/*"], "/data/../other/a"],
    ["of a store", ["S3://bucket/in/"], "s3://bucket/in/a"],
    ["of a store's pattern", ["s3://bucket/in/*.gz"], "s3://bucket/in/a.gz"],
    ["of a store's pattern of buckets", ["s3://b*/x"], "s3://bucket/x"],
    ["of any of several arguments", ["x", "y", "/z/*"], "/z/a"],
  ])("are %s", (_, paths, found) => {
    expect(whyNoPlan(asked(paths), fileAt(found))).toBeUndefined();
  });

  it("are what standard input was kept as", () => {
    expect(whyNoPlan(asked(["-"], "/data", "/tmp/stdin"), fileAt("/tmp/stdin", "-"))).toBeUndefined();
  });

  it.each<[string, readonly string[], string]>([
    ["beside an argument", ["/data/a.csv"], "/data/b.csv"],
    ["of which an argument is the beginning", ["/data/in"], "/data/inner/a"],
    ["above a folder", ["/data/in"], "/data"],
    ["that go up from a folder", ["/data/in"], "/data/in/../secret"],
    ["that go up from a pattern that does not", ["/data/*/a"], "/data/../etc/passwd"],
    ["beside a pattern's beginning", ["/data/in/*"], "/data/other/a"],
    ["of another bucket", ["s3://bucket/in/"], "s3://other/in/a"],
    ["of another scheme", ["s3://bucket/in/"], "/bucket/in/a"],
  ])("are none %s", (_, paths, found) => {
    expect(whyNoPlan(asked(paths), fileAt(found))).toMatch(/which no input asked for$/);
  });

  it("are looked up, not searched for: a shell makes as many arguments of a pattern as there are files", () => {
    const plan = planOf(100_000, 1);
    expect(
      whyNoPlan(
        asked(
          plan.files.map(({ path }) => path),
          "/",
        ),
        plan,
      ),
    ).toBeUndefined();
    // Nor is an argument gone through once per character of it.
    const brackets = `/data/${"{".repeat(4_000)}`;
    const many = Array.from({ length: 1_000 }, (_, index) => `${brackets}${index}`);
    expect(whyNoPlan(asked(many), fileAt(`${brackets}7`))).toBeUndefined();
  });
});
