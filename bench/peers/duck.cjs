// What a user would write with DuckDB instead: node duck.cjs word-count|sort|ndjson|csv INPUT OUTPUT
const { DuckDBInstance } = require("@duckdb/node-api");

const [, , work, input, output] = process.argv;
const lines = `read_csv('${input}', columns={'line':'VARCHAR'}, delim='\x01', header=false, quote='', escape='', auto_detect=false, max_line_size=4194304)`;
const tsv = "(DELIMITER '\t', HEADER false, QUOTE '')";
const queries = {
  "word-count": `COPY (SELECT w, count(*) FROM (SELECT unnest(string_split(line, ' ')) w FROM ${lines}) WHERE w <> '' GROUP BY w ORDER BY w) TO '${output}' ${tsv}`,
  sort: `COPY (SELECT line FROM ${lines} ORDER BY line) TO '${output}' (DELIMITER '\x01', HEADER false, QUOTE '')`,
  ndjson: `COPY (SELECT url, sum(bytes)::BIGINT FROM read_json('${input}', format='newline_delimited', columns={'url':'VARCHAR','bytes':'BIGINT'}) GROUP BY url ORDER BY url) TO '${output}' ${tsv}`,
  csv: `COPY (SELECT url, sum(bytes)::BIGINT FROM read_csv('${input}', header=true) GROUP BY url ORDER BY url) TO '${output}' ${tsv}`,
};

async function main() {
  const database = await DuckDBInstance.create(":memory:", {
    threads: "2",
    memory_limit: "12GB",
    temp_directory: `${output}.tmp`,
  });
  const connection = await database.connect();
  if (work === "hello") return connection.run("SELECT 1");
  await connection.run("SET preserve_insertion_order=false");
  await connection.run(queries[work]);
}
main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
