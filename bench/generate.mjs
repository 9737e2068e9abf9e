// Deterministic data for the benchmarks: `node bench/generate.mjs text|cyrillic|curly|tera|keys|files|ndjson|csv BYTES
// FILE`.
//   text    lines of 75 to 97 bytes of words, Zipf (s = 1.05) over 200,000 words, one word in a hundred with a non-ASCII letter
//   cyrillic, curly  the same text with a Cyrillic letter for each Latin one; with one curly quote in each line
//   tera    records of 99 bytes and a newline, the first 10 of them random printable characters
//   keys    a random number of 16 hexadecimal digits on each line: none comes twice
//   files   the text in a folder of files of about 2,000 bytes, 1,000 of them in each folder
//   ndjson  web log entries, 50,000 URLs, Zipf (s = 0.9)
//   csv     the same as rows below a header, one in ten with a quoted user agent, in which there is a comma
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** xorshift128+ on four 32-bit words would be exact but slow; sfc32 is enough and the same everywhere. */
function generator(seed) {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed | 0;
  let d = 1;
  return () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
}

/** Vose's alias method: an index drawn with the given weights in constant time. */
function alias(weights, next) {
  const n = weights.length;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const scaled = weights.map((weight) => (weight * n) / total);
  const chance = new Float64Array(n).fill(1);
  const other = new Uint32Array(n);
  const small = [];
  const large = [];
  for (const [i, value] of scaled.entries()) (value < 1 ? small : large).push(i);
  while (small.length > 0 && large.length > 0) {
    const s = small.pop();
    const l = large.pop();
    chance[s] = scaled[s];
    other[s] = l;
    scaled[l] -= 1 - scaled[s];
    (scaled[l] < 1 ? small : large).push(l);
  }
  return () => {
    const i = next() % n;
    return next() / 4294967296 < chance[i] ? i : other[i];
  };
}

function vocabulary(size, next) {
  const letters =
    "eeeeeeeeeeeetttttttttaaaaaaaaoooooooiiiiiiinnnnnnnsssssshhhhhhrrrrrrddddllllcccuuummmwwffggyyppbbvkjxqz";
  const accented = ["é", "ü", "ñ", "ç", "ø", "ß", "日", "本", "д", "ж"];
  const words = new Set();
  while (words.size < size) {
    const rank = words.size;
    const shortest = rank < 50 ? 1 : rank < 1000 ? 3 : rank < 20000 ? 4 : 5;
    const length = shortest + (next() % (rank < 50 ? 4 : rank < 1000 ? 5 : 7));
    let word = "";
    for (let i = 0; i < length; i++) word += letters[next() % letters.length];
    if (rank > 20 && next() % 100 === 0) {
      const at = next() % word.length;
      word = word.slice(0, at) + accented[next() % accented.length] + word.slice(at);
    }
    words.add(word);
  }
  return [...words];
}

const zipf = (n, shift, exponent) => Array.from({ length: n }, (_, i) => 1 / (i + shift) ** exponent);

const kinds = {
  text(next) {
    const words = vocabulary(200_000, next);
    const draw = alias(zipf(words.length, 2.7, 1.05), next);
    return () => {
      const length = 75 + (next() % 22);
      let line = words[draw()];
      while (line.length < length) line += ` ${words[draw()]}`;
      return `${line}\n`;
    };
  },
  cyrillic(next) {
    const line = kinds.text(next);
    return () => line().replace(/[a-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0x3cf));
  },
  curly(next) {
    const line = kinds.text(next);
    return () => line().replace(/[a-z] /, "’ ");
  },
  tera(next) {
    let row = 0;
    return () => {
      let key = "";
      for (let i = 0; i < 10; i++) key += String.fromCharCode(33 + (next() % 94));
      const filler = String.fromCharCode(65 + (row % 26)).repeat(68);
      return `${key}${String(row++).padStart(20, "0")} ${filler}\n`;
    };
  },
  keys(next) {
    const digits = () => next().toString(16).padStart(8, "0");
    return () => `${digits()}${digits()}\n`;
  },
  files(next) {
    return kinds.text(next);
  },
  ndjson(next) {
    const entry = entries(next);
    return () => {
      const { ip, url, status, bytes, ts } = entry();
      return `{"ip":"${ip}","url":"${url}","status":${status},"bytes":${bytes},"ts":${ts}}\n`;
    };
  },
  csv(next) {
    const entry = entries(next);
    let header = "ip,url,status,bytes,ts,agent\n";
    return () => {
      const { ip, url, status, bytes, ts } = entry();
      const agent = next() % 10 === 0 ? '"Mozilla/5.0 (X11; Linux x86_64), like Gecko"' : "curl/8.5.0";
      const row = `${header}${ip},${url},${status},${bytes},${ts},${agent}\n`;
      header = "";
      return row;
    };
  },
};

function entries(next) {
  const sections = ["api", "static", "blog", "user", "cart", "search", "img", "docs"];
  const statuses = [200, 200, 200, 200, 200, 304, 404, 301, 500];
  const letter = () => String.fromCharCode(97 + (next() % 26));
  const urls = Array.from(
    { length: 50_000 },
    (_, i) => `/${sections[next() % 8]}/${letter()}${letter()}/item-${i}${next() % 3 ? "" : "?ref=home"}`,
  );
  const draw = alias(zipf(urls.length, 2, 0.9), next);
  let ts = 1_700_000_000_000;
  return () => {
    ts += next() % 50;
    const ip = `${1 + (next() % 223)}.${next() % 256}.${next() % 256}.${next() % 256}`;
    return { ip, url: urls[draw()], status: statuses[next() % 9], bytes: next() % 60000, ts };
  };
}

export function generate(kind, bytes, file) {
  const line = kinds[kind](generator(20240501));
  if (kind === "files") {
    generateFiles(line, bytes, file);
    return;
  }
  const out = openSync(file, "w");
  let written = 0;
  while (written < bytes) {
    let piece = "";
    while (piece.length < 1 << 20 && written + piece.length < bytes) piece += line();
    written += writeSync(out, piece);
  }
  closeSync(out);
}

function generateFiles(line, bytes, folder) {
  for (let written = 0, files = 0; written < bytes; files++) {
    let text = "";
    while (text.length < 2000) text += line();
    const name = String(files).padStart(7, "0");
    const below = join(folder, name.slice(0, 4));
    if (files % 1000 === 0) mkdirSync(below, { recursive: true });
    writeFileSync(join(below, `${name}.txt`), text);
    written += text.length;
  }
}

if (process.argv[1]?.endsWith("generate.mjs")) {
  const [, , kind, bytes, file] = process.argv;
  if (!Object.hasOwn(kinds, kind ?? "") || !Number.isSafeInteger(Number(bytes)) || file === undefined) {
    console.error(`usage: node bench/generate.mjs ${Object.keys(kinds).join("|")} BYTES FILE`);
    process.exit(2);
  }
  generate(kind, Number(bytes), file);
}
