import type { OutputFormat } from "../../format/format.ts";
import type { Written } from "../aggregate/infer.ts";
import { defined } from "../define-job.ts";
import type { MainOf, Named, NoReduce, ReadBy, RereadOf, SidesOf } from "../infer.ts";
import type { Params, ParamsGiven } from "../params/params.ts";
import type { CellWriter, Row } from "../table.ts";
import type { Job, Outputs } from "../types.ts";
import { parseJoin } from "./parse.ts";
import type { How, JoinOptions, JoinSide } from "./types.ts";

/**
 * Defines a job that joins two inputs by key. Rows are objects of one record of each input, by name. It runs, and is
 * tested, planned and resumed, as any job is; the module's default export must be it.
 * @throws `wrong-job` for what the types could not refuse.
 * @example
 * export default defineJoin({
 *   name: "spent",
 *   left: { users: csv({ header: true, columns: { id: utf8, name: utf8 } }) },
 *   right: { orders: ndjson({ fields: { user: utf8, cents: int } }) },
 *   key: utf8,
 *   on: { users: "id", orders: "user" },
 *   how: "inner",
 *   map: ({ users, orders }, emit) => emit([users.name, orders.cents]),
 * });
 */
export function defineJoin<
  L extends JoinSide,
  R extends JoinSide,
  Key,
  H extends How,
  In = never,
  Out = never,
  O extends Outputs = OutputFormat<Row> & CellWriter,
  P extends Params = {},
  Returned extends void | Promise<void> | NoReduce = void | Promise<void> | NoReduce,
>(
  join: JoinOptions<L, R, Key, H, In, Out, O, P, Returned>,
): Job<{
  input: Named<{ readonly [N in keyof (L & R)]: ReadBy<(L & R)[N]> }>;
  params: ParamsGiven<P>;
  record: [Out] extends [never] ? MainOf<O> : NoReduce extends Returned ? Written<Key, Out> : MainOf<O>;
  others: SidesOf<O>;
  reread: RereadOf<O>;
  counter: string;
}> {
  // Only the compiler knows the type parameter.
  return defined(join, parseJoin, defineJoin) as ReturnType<typeof defineJoin<L, R, Key, H, In, Out, O, P, Returned>>;
}
