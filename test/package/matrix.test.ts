import { expect, it } from "vitest";
import { installers, nodes, runs } from "./matrix.ts";

const dimensions = {
  installer: installers,
  node: nodes,
  module: ["node16", "nodenext", "bundler"],
  strict: [true, false],
  exactOptionalPropertyTypes: [true, false],
  verbatimModuleSyntax: [true, false],
} as const;

it("at most 24 runs have every pair of an installer, a Node and type settings", () => {
  const flat = runs.map(({ types, ...others }) => ({ ...others, ...types }));
  const names = Object.keys(dimensions) as (keyof typeof dimensions)[];
  const missing = names.flatMap((a, index) =>
    names
      .slice(index + 1)
      .flatMap((b) =>
        dimensions[a].flatMap((x) =>
          dimensions[b].flatMap((y) =>
            flat.some((run) => run[a] === x && run[b] === y) ? [] : [`${a} ${String(x)}, ${b} ${String(y)}`],
          ),
        ),
      ),
  );
  expect(missing).toEqual([]);
  expect(runs.length).toBeLessThanOrEqual(24);
});
