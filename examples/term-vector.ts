// The most frequent terms of each host's pages: the term vectors of the MapReduce paper.
//   millrace run examples/term-vector.ts examples/data/pages.ndjson -o terms
import { defineJob, json, ndjson, utf8 } from "millrace";

type Vector = (readonly [term: string, n: number])[];

function add(...vectors: readonly Vector[]): Vector {
  const totals = new Map<string, number>();
  for (const vector of vectors) for (const [term, n] of vector) totals.set(term, (totals.get(term) ?? 0) + n);
  return [...totals];
}

export default defineJob({
  name: "term-vector",
  input: ndjson({ fields: { url: utf8, html: utf8 } }),
  key: utf8,
  value: json<Vector>(),
  params: { top: { type: "number", default: 5, about: "terms per host" } },
  map(page, emit) {
    const words =
      page.html
        .replace(/<[^>]*>/g, " ")
        .toLowerCase()
        .match(/\p{L}{4,}/gu) ?? [];
    emit(new URL(page.url).host, add(words.map((word) => [word, 1])));
  },
  combine: (a, b) => add(a, b),
  reduce(host, vectors, emit, ctx) {
    const terms = add(...vectors).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
    emit({ host, terms: terms.slice(0, ctx.params.top) });
  },
  output: ndjson<{ host: string; terms: Vector }>(),
});
