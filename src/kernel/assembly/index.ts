// The byte engine of `kernel.ts` in WebAssembly: the functions that `wasm.ts` calls.
export { setBlock, pushWritten } from "./block";
export { addBatch, beginCollect, countLarge, reserveLarge } from "./collect";
export { setColumns } from "./columns";
export { beginFlush, closeOpen, endFlush, flushPartition, nextFlush, skipFolded } from "./flush";
export { setFold } from "./fold";
export { aggregate, beginSource, stopFolding } from "./aggregate";
export { beginMerge, closeMerge, dropPending, nextMerge } from "./merge";
export { setPartitioner } from "./partitioner";
export { setHistogram } from "./radix";
export { loadBlock } from "./tree";
export { addWords, countLines } from "./words";
