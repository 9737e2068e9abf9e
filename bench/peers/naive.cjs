// The script that a Node user writes first: node naive.cjs word-count|ndjson INPUT OUTPUT
const { createReadStream, writeFileSync } = require("node:fs");
const { createInterface } = require("node:readline");

const [, , work, input, output] = process.argv;
const totals = new Map();
const add = (key, n) => totals.set(key, (totals.get(key) ?? 0) + n);
const perLine = {
  "word-count": (line) => {
    for (const word of line.split(" ")) if (word !== "") add(word, 1);
  },
  ndjson: (line) => {
    const entry = JSON.parse(line);
    add(entry.url, entry.bytes);
  },
}[work];
const reader = createInterface({ input: createReadStream(input) });
reader.on("line", perLine);
reader.on("close", () => {
  const sorted = [...totals].sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(output, sorted.map(([key, n]) => `${key}\t${n}\n`).join(""));
});
