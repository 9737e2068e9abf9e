import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import type { OutputFormat } from "../format/format.ts";
import { stagingDirectoryOf } from "../storage/local/hidden.ts";
import { createLocalStorage } from "../storage/local/local.ts";
import { PartWriter, type PartWriterOptions } from "./part-writer.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "millrace-part-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const job = "j1";
const storage = createLocalStorage();
/** Writes a line, but refuses "bad" after writing half of it. */
const format: OutputFormat<unknown> = {
  extension: "txt",
  write(record, out) {
    out.writeUtf8(String(record).slice(0, 1));
    if (record === "bad") throw new MillraceError("bad-output", "no bad ones");
    out.writeUtf8(`${String(record).slice(1)}\n`);
  },
};

interface OpenOptions extends Pick<Partial<PartWriterOptions>, "compressMember" | "format" | "from"> {
  readonly attempt?: number;
}

function open({ attempt = 1, ...options }: OpenOptions = {}): PartWriter {
  return new PartWriter({
    storage,
    destination: join(top, "out"),
    attempt: { job, phase: "reduce", index: 0, epoch: 1, attempt },
    output: "main",
    name: "part-00000.txt",
    format,
    compressMember: undefined,
    isSavable: true,
    ...options,
  });
}

const staged = (token: string) => readFileSync(join(stagingDirectoryOf(join(top, "out"), job), "files", token));

describe("a part writer", () => {
  test("writes records, counts them, and says what it staged", async () => {
    const writer = open();
    writer.write("one");
    writer.write("two");
    const file = await writer.finish();
    expect(file).toMatchObject({ output: "main", name: "part-00000.txt", bytes: 8, records: 2 });
    expect(staged(file.token).toString()).toBe("one\ntwo\n");
  });

  test("a record that was encoded before is taken as it is", async () => {
    const writer = open();
    writer.write("one");
    writer.append(Buffer.from("..two\n."), 2, 6);
    const file = await writer.finish();
    expect(staged(file.token).toString()).toBe("one\ntwo\n");
    expect(file.records).toBe(2);
  });

  test("a part without records has its header only", async () => {
    const withHeader = { ...format, header: (out: { writeUtf8(text: string): void }) => out.writeUtf8("name,count\n") };
    const file = await open({ format: withHeader }).finish();
    expect(file).toMatchObject({ bytes: 11, records: 0 });
    expect(staged(file.token).toString()).toBe("name,count\n");
  });

  test("a record that the format refuses leaves no trace", async () => {
    const writer = open();
    writer.write("one");
    expect(() => writer.write("bad")).toThrow("no bad ones");
    writer.write("two");
    const file = await writer.finish();
    expect(staged(file.token).toString()).toBe("one\ntwo\n");
    expect(file.records).toBe(2);
  });

  test("all that was written since a mark can be taken back, also beyond what is written at once", async () => {
    const writer = open();
    const long = "x".repeat(700_000);
    writer.write("kept");
    for (let i = 0; i < 3; i++) {
      writer.mark();
      for (let n = 0; n < 5; n++) writer.write(long);
      expect(writer.reset()).toBe(true);
    }
    writer.mark();
    writer.write("last");
    const file = await writer.finish();
    expect(staged(file.token).toString()).toBe("kept\nlast\n");
    expect(file.records).toBe(2);
  });

  test("more than the limit for one input record can't be taken back, and memory stays bounded", () => {
    const writer = open();
    const long = "x".repeat(1 << 20);
    writer.mark();
    for (let written = 0; written <= limits.recordBytesMax; written += long.length) writer.write(long);
    expect(writer.bytes).toBeGreaterThan(0);
    expect(writer.reset()).toBe(false);
    writer.abort();
    expect(readdirSync(join(stagingDirectoryOf(join(top, "out"), job), "files"))).toEqual([]);
  });

  test("compressed members end at the first record end after each 8 MiB, with marks and without", async () => {
    const record = "y".repeat(3_000_000);
    const sizes: number[][] = [];
    for (const marks of ["none", "each", "every third"]) {
      const members: number[] = [];
      const writer = open({
        compressMember: (bytes) => {
          members.push(bytes.length);
          return gzipSync(bytes, { level: 1 });
        },
      });
      for (let i = 0; i < 10; i++) {
        if (marks === "each" || (marks === "every third" && i % 3 === 0)) writer.mark();
        writer.write(record);
      }
      const file = await writer.finish();
      expect(gunzipSync(staged(file.token)).length).toBe(10 * 3_000_001);
      sizes.push(members);
    }
    expect(sizes[0]).toEqual([9_000_003, 9_000_003, 9_000_003, 3_000_001]);
    expect(sizes[1]).toEqual(sizes[0]);
    expect(sizes[2]).toEqual(sizes[0]);
  });

  test("a compressed part without records is a whole compressed file all the same", async () => {
    const file = await open({ compressMember: (bytes) => gzipSync(bytes) }).finish();
    expect(gunzipSync(staged(file.token))).toHaveLength(0);
    expect(file.bytes).toBeGreaterThan(0);
  });

  describe.each([
    ["not compressed", undefined],
    ["in members", (bytes: Uint8Array) => gzipSync(bytes, { level: 1 })],
  ])("%s", (_, compressMember) => {
    const withHeader = { ...format, header: (out: { writeUtf8(text: string): void }) => out.writeUtf8("name\n") };
    const record = "z".repeat(3_000_000);

    test("what goes on from something that was saved has the same bytes, wherever it was saved", async () => {
      const whole = open({ compressMember, format: withHeader });
      for (let i = 0; i < 8; i++) whole.write(`${i}${record}`);
      const expected = await whole.finish();
      const bytes = staged(expected.token);
      // Before all records, within a member, right behind one, behind all.
      for (const at of [0, 1, 3, 5, 8]) {
        let writer = open({ compressMember, format: withHeader, attempt: 2 });
        for (let i = 0; i < at; i++) writer.write(`${i}${record}`);
        const from = writer.save();
        expect(from).toMatchObject({ output: "main", records: at });
        writer.write("lost");
        writer.leave();
        writer = open({ compressMember, format: withHeader, attempt: 3, from });
        for (let i = at; i < 8; i++) writer.write(`${i}${record}`);
        const { token, ...file } = await writer.finish();
        expect([file.sha256, file.bytes, file.records]).toEqual([expected.sha256, expected.bytes, expected.records]);
        expect(staged(token).equals(bytes)).toBe(true);
      }
    });

    test("saving again and again changes no byte", async () => {
      const writer = open({ compressMember, format: withHeader });
      const often = open({ compressMember, format: withHeader, attempt: 2 });
      for (let i = 0; i < 5; i++) {
        writer.write(`${i}${record}`);
        often.mark();
        often.write(`${i}${record}`);
        often.save();
        expect(often.reset()).toBe(false); // what was saved can't be taken back
      }
      expect((await often.finish()).sha256).toBe((await writer.finish()).sha256);
    });
  });

  test("a header that can't be written leaves no file", () => {
    const broken: OutputFormat<unknown> = {
      ...format,
      header: () => {
        throw new MillraceError("bad-output", "no header");
      },
    };
    expect(() => open({ format: broken })).toThrow("no header");
    expect(readdirSync(join(stagingDirectoryOf(join(top, "out"), job), "files"))).toEqual([]);
  });
});
