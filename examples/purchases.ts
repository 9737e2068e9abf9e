// Purchases per customer, the example of the article that Millrace began with: names are capitalised in map, amounts summed.
//   millrace run examples/purchases.ts examples/data/purchases.csv -o purchases
import { csv, defineJob, int, sum, tsv, utf8 } from "millrace";

export default defineJob({
  name: "purchases",
  input: csv({ header: true, columns: { customer: utf8, amount: int } }),
  key: utf8,
  value: int,
  map(purchase, emit) {
    const name = purchase.customer
      .trim()
      .toLowerCase()
      .replace(/\p{L}+/gu, (word) => word[0]?.toUpperCase() + word.slice(1));
    emit(name, purchase.amount);
  },
  combine: sum,
  output: tsv<[customer: string, amount: number]>(),
});
