// CONTRIBUTING: "A bound is stated once": in src/base/limits.ts where several files need it, else at the top of the one
// that does.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const source = fileURLToPath(new URL("../../src", import.meta.url));

/**
 * Names of bounds: how large, how many, how long. A number behind, that is: what is computed from another bound is none
 * of its own.
 */
const bound = /^(export )?const (\w*(?:Ms|Max|Min|Kept|AtOnce|Leases)) = ([-\d][-\d_.* ]*(?:[KMG]iB)?);/gm;

/** Exported all the same, each with its reason. */
const shared: Readonly<Record<string, string>> = {
  "base/bytes/byte-buffer.ts loopLengthMax": "read for each string that is emitted",
  "base/units.ts dayMs": "the length of a day is no bound",
  "format/json/wasm.ts fieldsMax": "the size of a table in src/format/assembly, which can't import limits.ts",
  "format/json/wasm.ts cellsMax": "likewise",
  "format/json/wasm.ts nameBytesMax": "likewise",
  "format/lines/pairs.ts valueBytesMax": "the size of a field in src/format/assembly",
  "kernel/reference-collect.ts wordBytesMax": "the size of a field in src/kernel/assembly",
};

interface Bound {
  readonly file: string;
  readonly name: string;
  readonly value: string;
  readonly isExported: boolean;
}

const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !/\.test\.ts$|\/assembly\/|^wire\/gen\/|^base\/limits\.ts$/.test(name),
);
const bounds: readonly Bound[] = files.flatMap((file) =>
  [...readFileSync(join(source, file), "utf8").matchAll(bound)].map(([, exported, name, value]) => ({
    file,
    name: name!,
    value: value!,
    isExported: exported !== undefined,
  })),
);

it("a bound that more than one file needs is in limits.ts", () => {
  expect(bounds.length).toBeGreaterThan(50); // else the pattern finds none any more
  const exported = bounds.filter(({ isExported }) => isExported).map(({ file, name }) => `${file} ${name}`);
  expect(exported.toSorted()).toEqual(Object.keys(shared).toSorted());
});

it("no bound is stated in two files", () => {
  const keyOf = ({ name, value }: Bound) => `${name} = ${value}`;
  const twice = bounds
    .filter((one) => bounds.some((other) => other.file !== one.file && keyOf(other) === keyOf(one)))
    .map((one) => `${one.file}: ${keyOf(one)}`);
  expect(twice).toEqual([]);
});

it("sizes and times in limits.ts have their unit in their names", () => {
  const text = readFileSync(join(source, "base/limits.ts"), "utf8");
  const entries = [...text.matchAll(/^ {2}(\w+): (.+),$/gm)].map(([, name, value]) => ({ name: name!, value: value! }));
  expect(entries.length).toBeGreaterThan(100);
  const bytes = entries.filter(({ value }) => /[KMG]iB/.test(value)).map(({ name }) => name);
  expect(bytes.filter((name) => !/Bytes|Chars/.test(name))).toEqual([]);
  const times = entries.filter(({ value }) => /60_000|[^\d]\d+_000$/.test(value)).map(({ name }) => name);
  expect(times.length).toBeGreaterThan(5);
  expect(times.filter((name) => !/Ms|Max|Kept|Records|Splits/.test(name))).toEqual([]);
});
