// Which file imports which, types included: a circle of files can only be read as a whole, so there is none of more
// than two. (Circles at run time: .dependency-cruiser.cjs allows none at all; it can't tell long ones of types from
// short ones.)
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The files of a folder, and which of them each imports. */
function importsIn(folder: string): Map<string, string[]> {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts") && !/\/(gen|assembly)\//.test(path));
  const known = new Set(files);
  return new Map(
    files.map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      const named = [...text.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, to]) =>
        join(dirname(path), to!),
      );
      return [path, named.filter((to) => known.has(to))];
    }),
  );
}

/** Sets of files each of which reaches all others of its set (Tarjan's algorithm). */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const visit = (file: string): number => {
    const at = order.size;
    order.set(file, at);
    lowest.set(file, at);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      const reached = !order.has(next) ? visit(next) : stack.includes(next) ? order.get(next)! : at;
      lowest.set(file, Math.min(lowest.get(file)!, reached));
    }
    if (lowest.get(file) === at) {
      const circle = stack.splice(stack.indexOf(file));
      if (circle.length > 1) found.push(circle.sort());
    }
    return lowest.get(file)!;
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return found;
}

it("a circle of three is found, and a pair beside it", () => {
  const graph = new Map([
    ["a", ["b", "x"]],
    ["b", ["c"]],
    ["c", ["a", "d"]],
    ["d", ["e"]],
    ["e", ["d"]],
    ["x", []],
  ]);
  expect(circles(graph)).toEqual([
    ["d", "e"],
    ["a", "b", "c"],
  ]);
});

it("imports of src, those of types too, make no circle of more than two files", () => {
  const graph = importsIn("src");
  expect(graph.size).toBeGreaterThan(300);
  expect(graph.get("src/schedule/state/cluster.ts")).toContain("src/schedule/state/state.ts");
  expect(circles(graph).filter((files) => files.length > 2)).toEqual([]);
});
