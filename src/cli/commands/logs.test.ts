import { expect, it } from "vitest";
import type { LogChunk } from "../../protocol/services.ts";
import { pc } from "../screen/colour.ts";
import { textLines } from "./logs.ts";

async function linesOf(...chunks: readonly (readonly [attempt: string, bytes: string | Buffer])[]): Promise<string[]> {
  async function* source(): AsyncIterable<LogChunk> {
    for (const [attempt, bytes] of chunks) yield { attempt, worker: "w1", bytes: Buffer.from(bytes as string) };
  }
  const lines: string[] = [];
  for await (const line of textLines(source())) lines.push(line);
  return lines;
}

it("lines stand below their attempt, wherever chunks are cut, in the middle of a letter too", async () => {
  const euro = Buffer.from("10 €\nrest");
  expect(await linesOf(["map-00000.1.1", euro.subarray(0, 5)], ["map-00000.1.1", euro.subarray(5)])).toEqual([
    pc.bold("map-00000.1.1 on w1"),
    "10 €",
    "rest",
  ]);
});

it("attempts are told apart, and a last line needs no end", async () => {
  expect(await linesOf(["map-00000.1.1", "a"], ["map-00001.1.2", "b\n"])).toEqual([
    pc.bold("map-00000.1.1 on w1"),
    "a",
    "",
    pc.bold("map-00001.1.2 on w1"),
    "b",
  ]);
});

it("S6: what a job prints can't write to the terminal by itself", async () => {
  expect(await linesOf(["map-00000.1.1", "\x1b[2Jgone\x07\r\x9b31m\n"])).toEqual([
    pc.bold("map-00000.1.1 on w1"),
    "\\x1b[2Jgone\\x07\\x0d\\x9b31m",
  ]);
  expect(await linesOf(["\x1b]0;x\x07", "name"])).toEqual([pc.bold("\\x1b]0;x\\x07 on w1"), "name"]);
});
