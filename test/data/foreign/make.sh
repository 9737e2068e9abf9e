#!/usr/bin/env bash
# Makes the files of this folder again, with the programs that README.md names. It is run by hand: the tests read what
# is here.
#
#   python3 -m venv /tmp/foreign && /tmp/foreign/bin/pip install duckdb pandas
#   PATH=/tmp/foreign/bin:$PATH bash make.sh
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C.UTF-8

# A line for each of 50 requests: a number, a host, milliseconds, a method, a day.
requests() {
  awk -v OFS="$1" -v header="${2:-}" 'BEGIN {
    if (header) print "id", "host", "ms", "method", "day"
    for (i = 1; i <= 50; i++) print i, "host" i % 7, i * 0.5, (i % 3 ? "GET" : "POST"), "2024-05-" 10 + i % 20
  }'
}
requests '\t' > awk.tsv
requests ' ' | cut -d ' ' -f 2 | sort | uniq -c > uniq.txt
requests , header | gzip -nc > gzip.csv.gz
# Two days, compressed apart and joined, as logs are.
{ requests ' ' | head -n 20 | pigz -nc; requests ' ' | tail -n 30 | pigz -9nc; } > pigz-joined.log.gz
awk 'BEGIN { for (i = 1; i <= 60; i++)
  printf "2024-06-%02dT10:00:%02dZ\tGET\t/p/%d\t%d\t%d\n", i % 20 + 1, i % 60, i % 9, i % 7 ? 200 : 404, i * 37
}' | pigz -9n > pigz.tsv.gz

# Through a pipe, so that the frame does not know its size.
jq -nc 'range(40) | {id: ., name: "n\(. % 3)", at: "2024-01-0\(1 + . % 9)", ok: (. % 2 == 0), ms: (. / 8), tags: [],
  who: (if . > 5 then "x" else null end)}' | zstd -qc > zstd.ndjson.zst
requests '|' header > requests.psv
zstd -q --ultra -22 --long=27 --rm -f requests.psv -o zstd-long.psv.zst
{ requests , header | head -n 31 | zstd -qc; requests , | tail -n 20 | zstd -qc19; } > zstd-joined.csv.zst

sql="create table t(id integer, name text, price real, seen text);
insert into t values (1,'Ann',1.5,'2024-01-01'),(2,'Bo, \"the\" 2nd',null,'2024-01-02'),(3,'Ann',-3,'2024-01-03'),
(4,'','0.25','2024-01-04');"
sqlite3 -header -csv :memory: "$sql select * from t" > sqlite.csv
sqlite3 -header :memory: "$sql select id, replace(name, char(34), '') as name, price, seen from t" > sqlite.txt

python3 make.py
