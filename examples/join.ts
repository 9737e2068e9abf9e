// Joins two formats: who bought for how much? Orders of nobody go to an output of their own.
// `defineJoin` (spent.ts) makes the pairs itself; this job needs none, only that one side comes before the other.
//   millrace run examples/join.ts --input users=examples/data/users.csv --input orders=examples/data/orders.ndjson -o spent
import { csv, defineJob, int, json, ndjson, prefix, text, tuple, uint, utf8 } from "millrace";

type Side = { name: string } | { cents: number };

export default defineJob({
  name: "join",
  input: {
    users: csv({ header: true, columns: { id: utf8, name: utf8 } }),
    orders: ndjson({ fields: { user: utf8, cents: int } }),
  },
  // A user sorts before their orders, so that reduce sees the name first, however many orders follow.
  key: tuple(utf8, uint),
  value: json<Side>(),
  group: prefix(1),
  map: {
    users: (user, emit) => emit([user.id, 0], { name: user.name }),
    orders: (order, emit) => emit([order.user, 1], { cents: order.cents }),
  },
  reduce([id], sides, emit) {
    let name: string | undefined;
    let cents = 0;
    for (const side of sides) {
      if ("name" in side) name = side.name;
      else cents += side.cents;
    }
    if (name === undefined) emit.to("unknown", id);
    else emit({ id, name, cents });
  },
  output: { main: csv({ header: true, columns: { id: utf8, name: utf8, cents: int } }), unknown: text() },
});
