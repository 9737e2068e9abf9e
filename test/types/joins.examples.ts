// biome-ignore-all format: one example a line, and the error on the line below its comment
// biome-ignore-all lint/correctness/noUnusedFunctionParameters: parameters stand for their types
// What compiles and what must not, of joins, which `tsc -p .` checks. Nothing runs.
import { countIf, csv, date, defineJoin, fields, first, int, type Job, type Named, ndjson, nullable, type Row, stats, sum, tsv, tuple, utf8 } from "millrace";
import { runInline } from "millrace/testing";

/** `is<Expected>()(value)` compiles if the value's type is exactly that. */
declare function is<Expected>(): <Actual>(
  value: Actual,
  ...same: (<T>() => T extends Actual ? 1 : 2) extends (<T>() => T extends Expected ? 1 : 2) ? [] : [differs: never]
) => void;
declare function record<J>(job: J): J extends Job<infer T> ? T["record"] : never;
declare function input<J>(job: J): J extends Job<infer T> ? T["input"] : never;

const users = csv({ header: true, columns: { id: utf8, name: utf8 } });
const orders = ndjson({ fields: { user: utf8, cents: int, day: date } });
type User = { readonly id: string; readonly name: string };
type Order = { readonly user: string; readonly cents: number; readonly day: Date };

// ── what compiles ────────────────────────────────────────────────────────────

const enriched = defineJoin({
  name: "enriched", left: { users }, right: { orders }, how: "inner", key: utf8, on: { users: "id", orders: "user" },
  map({ users, orders }, emit, ctx) { is<User>()(users); is<Order>()(orders); is<string>()(ctx.key); if (orders.cents > 0) emit({ id: users.id, name: users.name, cents: orders.cents }); },
  output: ndjson<{ id: string; name: string; cents: number }>(),
});
is<{ id: string; name: string; cents: number }>()(record(enriched));
is<Named<{ readonly users: User; readonly orders: Order }>>()(input(enriched));
runInline(enriched, { users: [{ id: "u", name: "n" }], orders: [] });

const optional = defineJoin({
  name: "left", left: { users }, right: { orders }, how: "left", key: utf8, on: { users: "id", orders: "user" },
  map: ({ users, orders }, emit) => emit([users.name, orders?.cents ?? 0]),
});
is<Row>()(record(optional));
const audit = defineJoin({
  name: "audit", left: { booked: orders }, right: { paid: orders }, how: "outer", key: tuple(nullable(utf8), date),
  on: { booked: ["user", "day"], paid: (order) => [order.cents > 0 ? order.user : null, order.day] as const },
  params: { least: { type: "number", default: 1 } },
  reduce([user, day], rows, emit, ctx) {
    is<string | null>()(user); is<number>()(ctx.params.least);
    let missing = 0;
    for (const { booked, paid } of rows) { is<Order | null>()(booked); if (paid === null) missing++; }
    emit([user, day, missing]);
  },
});
const strangers = defineJoin({ name: "strangers", left: { orders }, right: { users }, how: "anti", key: utf8, on: { orders: "user", users: "id" }, map: ({ orders }, emit) => emit([orders.user, orders.cents]), output: tsv<[string, number]>() });
is<[string, number]>()(record(strangers));
defineJoin({ name: "right", left: { users }, right: { orders }, how: "right", key: utf8, on: { users: "id", orders: "user" }, map: ({ users, orders }, emit) => emit([users?.name ?? "?", orders.cents]) });
defineJoin({ name: "more", left: { users }, right: { orders }, how: "semi", key: utf8, on: { users: "id", orders: "user" }, map: ({ users }, emit) => { emit([users.id]); emit.to("names", [users.name]); }, output: { main: tsv<[string]>(), names: tsv<[string]>() } });
defineJoin({ name: "whole", left: { users }, right: { orders }, how: "inner", key: utf8, on: { users: "id", orders: "user" }, async reduce(key, rows, emit) { await null; emit([key]); } });
is<readonly unknown[]>()([audit, strangers, optional] as readonly unknown[]);

const spentByUser = defineJoin({
  name: "spent-by-user", left: { users }, right: { orders }, how: "left",
  key: fields({ id: utf8 }), on: { users: { id: "id" }, orders: { id: "user" } },
  map: ({ users, orders }, emit) => emit({ name: users.name, cents: orders?.cents ?? 0, bought: orders !== null }),
  aggregate: stats({ name: first("name", utf8), orders: countIf("bought"), cents: sum("cents") }),
  output: csv({ header: true }),
});
is<{ readonly id: string; readonly name: string; readonly orders: number; readonly cents: number }>()(record(spentByUser));

// ── what must not ────────────────────────────────────────────────────────────

// @ts-expect-error `idd` is no field of users
defineJoin({ name: "x21", left: { users }, right: { orders }, how: "inner", key: utf8, on: { users: "idd", orders: "user" }, map: (row, emit) => emit([1]) });
// @ts-expect-error the field is a number, the key is text
defineJoin({ name: "x22", left: { users }, right: { orders }, how: "inner", key: utf8, on: { users: "id", orders: "cents" }, map: (row, emit) => emit([1]) });
// @ts-expect-error `on` lacks the right side
defineJoin({ name: "x23", left: { users }, right: { orders }, how: "inner", key: utf8, on: { users: "id" }, map: (row, emit) => emit([1]) });
// @ts-expect-error in a left join the right record may be missing: orders?.cents
defineJoin({ name: "x24", left: { users }, right: { orders }, how: "left", key: utf8, on: { users: "id", orders: "user" }, map: ({ users, orders }, emit) => emit([users.id, orders.cents]) });
// @ts-expect-error an anti join has no right records
defineJoin({ name: "x25", left: { users }, right: { orders }, how: "anti", key: utf8, on: { users: "id", orders: "user" }, map: ({ orders }, emit) => emit([1]) });
// @ts-expect-error two inputs on one side
defineJoin({ name: "x26", left: { users, more: users }, right: { orders }, how: "inner", key: utf8, on: { users: "id", more: "id", orders: "user" }, map: (row, emit) => emit([1]) });
// @ts-expect-error no such kind of join: "outer"
defineJoin({ name: "x27", left: { users }, right: { orders }, how: "full", key: utf8, on: { users: "id", orders: "user" }, map: (row, emit) => emit([1]) });
// @ts-expect-error the key may be null, and only nullable(utf8) has null
defineJoin({ name: "x57", left: { users }, right: { orders }, how: "inner", key: utf8, on: { users: "id", orders: (order) => (order.cents > 0 ? order.user : null) }, map: (row, emit) => emit([1]) });
defineJoin({ name: "x59", left: { users }, how: "inner", key: utf8, on: { users: "id" }, map: (row, emit) => emit([1]),
  // @ts-expect-error both sides are named `users`
  right: { users },
});
// @ts-expect-error the field may be null, and only nullable(utf8) has null
defineJoin({ name: "x62", left: { users }, right: { visits: csv({ columns: { user: nullable(utf8) } }) }, how: "inner", key: utf8, on: { users: "id", visits: "user" }, map: (row, emit) => emit([1]) });
// @ts-expect-error what is emitted is not what the output writes
defineJoin({ name: "out", left: { users }, right: { orders }, how: "inner", key: utf8, on: { users: "id", orders: "user" }, map: ({ users }, emit) => emit([users.id, users.name]), output: tsv<[string, number]>() });
// @ts-expect-error what is emitted lacks the field that the aggregate reads
defineJoin({ name: "x28", left: { users }, right: { orders }, how: "inner", key: utf8, on: { users: "id", orders: "user" }, aggregate: sum("cents"), map: ({ users }, emit) => emit(users) });
