import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatConformance, writeAll } from "../../../test/conformance/format.ts";
import { lines } from "./lines.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

describe("lines()", () => {
  formatConformance({
    format: lines(),
    samples: [
      { name: "an empty file (fault 70)", content: "", records: [] },
      {
        name: "carriage returns and marks unchanged",
        content: "\ufeffa\r\n\n\r\n",
        records: [bytes(0xef, 0xbb, 0xbf, 97, 13), bytes(), bytes(13)],
        starts: [0, 6, 7],
      },
      {
        name: "bytes that are no UTF-8 (fault 72)",
        content: bytes(0xff, 10, 0xc3, 10, 0, 0x80),
        records: [bytes(0xff), bytes(0xc3), bytes(0, 0x80)],
        starts: [0, 2, 4],
      },
    ],
    written: {
      records: fc.uint8Array({ maxLength: 20 }).filter((record) => !record.includes(10)),
      readAs: (record) => Uint8Array.from(record),
    },
  });

  it("refuses to write what would be two lines", () => {
    expect(() => writeAll(lines(), [bytes(1, 10)])).toThrow(/line feed/);
    expect(() => writeAll(lines(), ["text" as unknown as Uint8Array])).toThrow(/writes Uint8Array, not "text"/);
  });
});
