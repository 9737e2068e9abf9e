// One step of PageRank: every page hands its rank on to the pages it links to. `pagerank.ts` runs it until it settles.
import { defineJob, json, ndjson, utf8 } from "millrace";

export interface Page {
  readonly url: string;
  readonly rank: number;
  readonly links: readonly string[];
}

export default defineJob({
  name: "pagerank-step",
  input: ndjson<Page>(),
  params: { pages: { type: "number", about: "number of pages" } },
  key: utf8,
  value: json<{ links: readonly string[] } | { share: number }>(),
  map(page, emit) {
    emit(page.url, { links: page.links });
    for (const link of page.links) emit(link, { share: page.rank / page.links.length });
  },
  reduce(url, parts, emit, ctx) {
    let links: readonly string[] = [];
    let rank = 0.15 / ctx.params.pages;
    for (const part of parts) {
      if ("links" in part) links = part.links;
      else rank += 0.85 * part.share;
    }
    emit({ url, rank, links });
  },
  output: ndjson<Page>(),
});
