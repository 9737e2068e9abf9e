// The first bytes of a clear-text connection, which say what it speaks: "PRI" is the beginning of HTTP/2 with prior
// knowledge, and anything else is HTTP/1.1.
import type { Socket } from "node:net";

const preface = Buffer.from("PRI");

/** Waits for the first bytes, and puts them back. Three of them tell PRI from PUT, POST and the rest. */
export function onFirstBytes(socket: Socket, seenBy: (isHttp2: boolean) => void): void {
  // Kept here until there are enough: bytes that are put back would be announced again immediately, for ever.
  let seen = Buffer.alloc(0);
  const look = () => {
    const bytes: Buffer | null = socket.read();
    if (bytes === null) return;
    seen = Buffer.concat([seen, bytes]);
    const isPreface = seen.subarray(0, preface.length).equals(preface.subarray(0, seen.length));
    if (isPreface && seen.length < preface.length) return;
    socket.off("readable", look);
    socket.unshift(seen);
    seenBy(isPreface);
  };
  socket.on("readable", look);
}
