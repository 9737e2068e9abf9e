// docs/limits.md against the code: each bound on it has the value that src/base/limits.ts has, bounds by which users
// are refused are on it, and so is every environment variable that the product reads.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { GiB, KiB, limits, MiB } from "../../src/base/limits.ts";
import { slotVariables } from "../../src/worker/slots/process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs/limits.md"), "utf8");
const sources = ["src", "bin"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.[jt]s$/.test(name) && !/\.test\.ts$|^wire\/gen\/|\/assembly\//.test(name))
    .map((name) => join(folder, name))
    .filter((path) => path !== "src/base/limits.ts"),
);
const read = (path: string) => readFileSync(join(root, path), "utf8");

const bounds: Readonly<Record<string, number>> = limits;
const rows = [...page.matchAll(/^\| .+ \| (.+) \| .+ \| `(\w+)` \|$/gm)].map(([, value, name]) => ({
  value: value!,
  name: name!,
}));

/** A bound as the page writes it: its name has the unit. */
function written(name: string, value: number): string {
  const units: readonly (readonly [number, string])[] = name.includes("Bytes")
    ? [
        [GiB, "GiB"],
        [MiB, "MiB"],
        [KiB, "KiB"],
        [1, "B"],
      ]
    : name.endsWith("Ms")
      ? [
          [60 * 60_000, "h"],
          [60_000, "min"],
          [1_000, "s"],
          [1, "ms"],
        ]
      : [];
  const unit = units.find(([size]) => value % size === 0);
  if (unit !== undefined) return `${value / unit[0]} ${unit[1]}`;
  return value < 1 ? `1/${1 / value}` : value.toLocaleString("en-US");
}

describe("docs/limits.md", () => {
  it("has the values that the code has", () => {
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter(({ name }) => !(name in limits))).toEqual([]);
    const wrong = rows.filter(({ name, value }) => written(name, bounds[name]!) !== value);
    expect(wrong.map(({ name, value }) => `${name}: ${value}, not ${written(name, bounds[name]!)}`)).toEqual([]);
  });

  it("writes sizes, times, shares and numbers", () => {
    expect(written("aBytesMax", 1_536)).toBe("1536 B");
    expect(written("aBytesMax", 3 * GiB)).toBe("3 GiB");
    expect(written("aMs", 90_000)).toBe("90 s");
    expect(written("a", 1 / 4)).toBe("1/4");
    expect(written("aMax", 10_000)).toBe("10,000");
  });

  it("names each bound that a message of over-limit names, and each of the options of a run", () => {
    const messages = sources.flatMap((path) =>
      [...read(path).matchAll(/new MillraceError\(\s*"over-limit",[\s\S]*?\);/g)].map(([text]) => text),
    );
    const named = [...messages, read("src/engine/run/option-table.ts")].flatMap((text) =>
      [...text.matchAll(/\blimits\.(?!ts\b)(\w+)/g)].map(([, name]) => name!),
    );
    expect(new Set(named).size).toBeGreaterThan(10);
    expect([...new Set(named)].filter((name) => !rows.some((row) => row.name === name))).toEqual([]);
  });

  it("names each variable that the product reads by its name", () => {
    const code = sources.map(read).join("\n");
    const own = [...code.matchAll(/\bMILLRACE_[A-Z_]+/g)].map(([name]) => name);
    const others = [
      "TERM",
      "NO_COLOR",
      "FORCE_COLOR",
      "XDG_CONFIG_HOME",
      ...[...code.matchAll(/"(AWS_[A-Z0-9_]+)"/g)].map(([, name]) => name!),
    ];
    for (const name of others) expect(code, name).toContain(name);
    expect(own.length).toBeGreaterThan(3);
    expect(others.length).toBeGreaterThan(8);
    const missing = [...own, ...others, ...slotVariables].filter((name) => !page.includes(`\`${name}\``));
    expect([...new Set(missing)]).toEqual([]);
  });
});
