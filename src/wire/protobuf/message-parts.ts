// Takes messages apart and puts them together again as bytes, without decoding them, because large parts don't go
// through the library.
import { WireReader } from "./reader.ts";
import { WireWriter } from "./writer.ts";

/** A message with the content of one field changed, or without the field. */
export function changeField(
  message: Uint8Array,
  field: number,
  change: (content: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  const reader = new WireReader();
  const parts: Uint8Array[] = [];
  reader.open(message);
  for (let from = 0; reader.next(); from = reader.at) {
    if (reader.field !== field) {
      reader.skip();
      parts.push(message.subarray(from, reader.at));
      continue;
    }
    const content = reader.bytes();
    const changed = change(content);
    if (changed === content) parts.push(message.subarray(from, reader.at));
    else if (changed !== undefined) parts.push(framed(field, changed));
  }
  const { buffer, byteOffset, length } = Buffer.concat(parts);
  return new Uint8Array(buffer, byteOffset, length);
}

/** A field with this content. */
export function framed(field: number, content: Uint8Array): Uint8Array {
  const writer = new WireWriter();
  writer.start();
  writer.presentBytes(field, content);
  return writer.finish();
}
