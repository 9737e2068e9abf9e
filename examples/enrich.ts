// Looks each record up somewhere else: an async map, several records in flight, results in input order.
//   millrace run examples/enrich.ts examples/data/orders.ndjson -o enriched --file rates=examples/data/rates.json
import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { defineJob, ndjson } from "millrace";

interface Order {
  id: string;
  user: string;
  cents: number;
  currency: string;
}

export default defineJob({
  name: "enrich",
  input: ndjson<Order>(),
  files: { rates: "data/rates.json" },
  reducers: 0,
  concurrency: 8,
  async setup(ctx) {
    const rates = new Map<string, number>(Object.entries(JSON.parse(await readFile(ctx.file("rates"), "utf8"))));
    // Stands for a request to a service: `fetch(url, { signal: ctx.signal })`.
    return { rate: (currency: string) => wait(1, rates.get(currency), { signal: ctx.signal }) };
  },
  async map(order, emit, ctx) {
    const rate = await ctx.state.rate(order.currency);
    if (rate === undefined) throw new Error(`no rate for ${order.currency}`);
    ctx.count("lookups");
    emit({ ...order, euroCents: Math.round(order.cents * rate) });
  },
  output: ndjson<Order & { euroCents: number }>(),
});
