/**
 * Why an answer of a shuffle server can't be used.
 *
 * - "missing" and "corrupt" are about the map's output.
 * - "garbled" (a shuffle server would not say this) and "unreachable" (nothing, too little or too late) are about the
 *   way to it.
 * - "busy": come back later.
 */
export class TransferFault extends Error {
  override readonly name = "TransferFault";
  readonly kind: "missing" | "corrupt" | "garbled" | "unreachable" | "busy";

  constructor(kind: TransferFault["kind"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}
