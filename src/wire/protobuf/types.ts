// Protobuf's wire format (protobuf.dev/programming-guides/encoding) by hand, for what there may be a million of, tasks and splits: what
// the library reads and writes through objects and bigints is here numbers and one buffer.

/** How the bytes of a field end: the lowest three bits of its tag. */
export const wireType = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;
