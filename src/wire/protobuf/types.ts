// Protobuf's wire format (protobuf.dev/programming-guides/encoding) by hand, for tasks and splits, of which there may
// be a million: what the library reads and writes through objects and bigints is numbers and one buffer here.

/** How a field's bytes are delimited: the lowest three bits of its tag. */
export const wireType = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;
