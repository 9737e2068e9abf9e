// Finds fields in lines of JSON, for `json/table.ts`. Everything lies at fixed places of one small memory.
export { declare, reset } from "./names";
export { scan } from "./lines";
export { resetShapes, scanShapes } from "./shapes";
export { describeRows, scanRows } from "./rows";
export { frameLines, writeKeys } from "./pairs";
export { loneReturn, oddQuotes } from "./quotes";
