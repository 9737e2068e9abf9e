// Joins users and their orders: who spent how much, in how many orders? Users without orders are there too.
//   millrace run examples/spent.ts --input users=examples/data/users.csv --input orders=examples/data/orders.ndjson -o spent-by-user
import { csv, defineJoin, int, ndjson, uint, utf8 } from "millrace";

export default defineJoin({
  name: "spent",
  left: { users: csv({ header: true, columns: { id: utf8, name: utf8 } }) },
  right: { orders: ndjson({ fields: { user: utf8, cents: int } }) },
  key: utf8,
  on: { users: "id", orders: "user" },
  how: "left",
  reduce(id, rows, emit) {
    let name = "";
    let orders = 0;
    let cents = 0;
    for (const row of rows) {
      name = row.users.name;
      if (row.orders === null) continue; // a user without orders has one row
      orders++;
      cents += row.orders.cents;
    }
    emit({ id, name, orders, cents });
  },
  output: csv({ header: true, columns: { id: utf8, name: utf8, orders: uint, cents: int } }),
});
