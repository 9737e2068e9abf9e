// The k largest orders of each user, by secondary sort: the values of a group arrive largest first, none is kept.
//   millrace run examples/top-k.ts examples/data/orders.ndjson -o top --param k=2
import { defineJob, desc, int, ndjson, prefix, tsv, tuple, utf8 } from "millrace";

export default defineJob({
  name: "top-k",
  input: ndjson({ fields: { id: utf8, user: utf8, cents: int } }),
  params: { k: { type: "number", default: 3, about: "orders per user" } },
  key: tuple(utf8, desc(int)),
  value: tuple(utf8, int),
  group: prefix(1),
  map(order, emit) {
    emit([order.user, order.cents], [order.id, order.cents]);
  },
  reduce([user], orders, emit, ctx) {
    let left = ctx.params.k;
    for (const [id, cents] of orders) {
      if (left-- <= 0) break;
      emit([user, id, cents]);
    }
  },
  output: tsv<[user: string, order: string, cents: number]>(),
});
