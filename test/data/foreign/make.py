# The files of this folder that Python, pandas and DuckDB make: make.sh runs it.
import csv
import datetime
import gzip
import json
import logging
import os
import time

import duckdb
import pandas

COUNT = 30


def rows(name, header, row, count=COUNT, **dialect):
    with open(name, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, **dialect)
        writer.writerow(header)
        writer.writerows(row(i) for i in range(count))


rows(
    "python-excel.csv",
    ["id", "note", "price", "big"],
    lambda i: [i, 'say "%d",\nthen go' % i, None if i % 4 == 0 else i / 4, 2**53 + i],
)
rows("python-excel-tab.txt", ["id", "note"], lambda i: [i, 'say "%d"\tnow' % i], dialect="excel-tab")
rows("python-unix.csv", ["plz", "ok"], lambda i: ["%05d" % i, i % 2 == 0], dialect="unix", delimiter=";")
rows(
    "python-names.csv",
    ["__proto__", "a b", "", "twice", "twice", "*/ ${x} `", 'q"', "line\nend", "\u2028\u202e", "constructor", "日本", "0", "//"],
    lambda i: [i * 13 + j for j in range(13)],
    count=3,
)

with open("python.jsonl", "w", encoding="utf-8") as file:
    for i in range(COUNT):
        one = {"né": "é\u2028%d" % (i % 3), "n": i - 9, "f": i / 3, "flag": i > 4, "none": None, "in": {"a": [1, {}]}}
        print(json.dumps(one), file=file)
with gzip.GzipFile("python-snowflakes.jsonl.gz", "wb", mtime=0) as file:
    for i in range(20):
        file.write((json.dumps({"id": 2**60 + i, "who": "u%d" % (i % 4)}) + "\n").encode())

handler = logging.FileHandler("python-logging.log", mode="w")
handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
noon = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.timezone.utc)
logging.Formatter.converter = time.gmtime
for i in range(20):
    record = logging.LogRecord("app", logging.INFO, __file__, 1, "request %d done", (i,), None)
    record.created, record.msecs = noon.timestamp() + i, i * 37 % 1000
    handler.emit(record)

frame = pandas.DataFrame(
    {
        "city": [["Rome", "Bonn"][i % 2] for i in range(10)],
        "n": [None if i == 3 else float(i) for i in range(10)],
        "at": pandas.date_range("2024-02-28 22:00", periods=10, freq="3h", tz="UTC"),
    }
)
frame.to_csv("pandas-index.csv")
frame.to_csv("pandas-decimal.csv.gz", sep=";", decimal=",", index=False, compression={"method": "gzip", "mtime": 0})
frame.to_json("pandas.jsonl", orient="records", lines=True, date_format="iso")

duck = duckdb.connect()
duck.execute(
    """
    CREATE TABLE t AS SELECT i::BIGINT AS id, ['Köln', 'Rome', 'San José, CA', 'O"Hare'][1 + i % 4] AS city,
      CASE WHEN i % 5 = 0 THEN NULL ELSE round(i * 1.37, 2) END AS price, (9007199254740992::HUGEINT + i) AS snowflake,
      TIMESTAMP '2024-02-28 23:59:58' + INTERVAL (i) SECOND AS at, DATE '2024-01-01' + CAST(i AS INT) AS day, i % 3 = 0 AS paid,
      lpad(CAST(i AS VARCHAR), 5, '0') AS zip, CASE WHEN i % 2 = 0 THEN 'two\nlines' ELSE '' END AS comment FROM range(1, 41) r(i)
    """
)
for name, query, options in [
    ("duckdb.csv", "t", "HEADER, DELIMITER ','"),
    ("duckdb-pipe.csv.gz", "t", "HEADER false, DELIMITER '|', COMPRESSION gzip"),
    ("duckdb.ndjson.zst", "(SELECT * EXCLUDE (snowflake) FROM t)", "FORMAT json, COMPRESSION zstd"),
    ("duckdb.tsv", "(SELECT id, city, price, day FROM t)", "HEADER, DELIMITER '\t'"),
]:
    if os.path.exists(name):
        os.remove(name)
    duck.execute(f"COPY {query} TO '{name}' ({options})")
