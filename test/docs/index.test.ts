// docs/README.md lists every page once, so that a reader finds it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../support/cli.ts";

test("the index of the documentation lists every page, once", () => {
  const docs = join(repository, "docs");
  const pages = readdirSync(docs, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
  const index = readFileSync(join(docs, "README.md"), "utf8");
  const listed = [...index.matchAll(/\]\(([\w/-]+\.md)\)/g)].map(([, page]) => page!);
  expect(listed.toSorted()).toEqual(pages.filter((name) => name !== "README.md").toSorted());
});
