// Which pages link to a page? The reverse web-link graph of the MapReduce paper.
//   millrace run examples/reverse-links.ts examples/data/pages.ndjson -o linked-from
import { defineJob, ndjson, utf8 } from "millrace";

interface Page {
  url: string;
  html: string;
}

export default defineJob({
  name: "reverse-links",
  input: ndjson<Page>(),
  key: utf8,
  value: utf8,
  map(page, emit) {
    for (const [, target] of page.html.matchAll(/<a\s[^>]*href="([^"#]+)/gi)) {
      if (target !== undefined) emit(new URL(target, page.url).href, page.url);
    }
  },
  reduce(target, sources, emit) {
    emit({ target, sources: [...new Set(sources)].sort() });
  },
  output: ndjson<{ target: string; sources: string[] }>(),
});
