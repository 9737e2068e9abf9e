import { defineJob, sum, text, uint, utf8, words } from "millrace";
export default defineJob({ name: "wc-builtin", input: text(), key: utf8, value: uint, map: words(), combine: sum });
