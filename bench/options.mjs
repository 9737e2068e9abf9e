// The words after `npm run bench --`.
import { parseArgs } from "node:util";

export const usage = `usage: npm run bench -- [case…] [options]
  --rounds N    measured rounds, after one that warms up (default: 5)
  --size MB     of the inputs (default: 500; recorded ratios of other sizes are not compared)
  --peers all   also mawk, tr|sort|uniq, Spark and Hadoop, where they are installed
  --large       scale and limits also with 20 times the size (10 GB)
  --record      write bench/recorded.json
  --check       exit with 1 when a ratio is worse than the recorded one`;

/** Throws an Error with what is wrong. */
export function parseOptions(words, caseNames) {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "5" },
      size: { type: "string", default: "500" },
      peers: { type: "string", default: "usual" },
      large: { type: "boolean", default: false },
      record: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const unknown = positionals.find((name) => !caseNames.includes(name));
  if (unknown !== undefined) throw new Error(`no such case: ${unknown}; there are ${caseNames.join(", ")}`);
  if (!["usual", "all"].includes(values.peers)) throw new Error(`--peers is usual or all, not ${values.peers}`);
  return {
    ...values,
    rounds: positive("--rounds", values.rounds),
    size: positive("--size", values.size),
    chosen: positionals.length > 0 ? positionals : caseNames,
  };
}

function positive(name, word) {
  const value = Number(word);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} is a whole number from 1, not ${word}`);
  return value;
}
