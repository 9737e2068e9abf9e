// Who may import whom (ARCHITECTURE.md): a folder may import the folders listed for it, and itself. Type-only imports are
// edges like any other; where only types may cross, the rule says so. "name." is a file above the folders.
const may = {
  // What everything stands on.
  base: [],
  kernel: ["base"],
  // A job, and the bytes that it reads and writes.
  job: ["base", "format", "kernel:types"],
  format: ["base", "job:types", "job/codecs"],
  storage: ["base"],
  tier: ["base", "sort:types"],
  sort: ["base", "kernel"],
  input: ["base", "storage", "format", "job:types"],
  // What the beginnings of files say of their format, for a job that is to be written.
  guess: ["base", "format", "input", "storage", "job/codecs", "job:types"],
  output: ["base", "storage", "format", "protocol:types", "protocol/stats"],
  // What processes say to each other: plain data, below whoever decides by it; its bytes and the calls, above.
  protocol: ["base", "job:types", "input:types", "sort:types", "storage:types", "output/part-name"],
  wire: ["base", "protocol", "job:types", "input:types", "sort:types", "storage:types"],
  rpc: ["base", "protocol", "wire", "job:types"],
  shuffle: ["base", "sort", "kernel:types", "rpc/server/http:types", "rpc/access"],
  // How far attempts have come, in files of their worker.
  checkpoint: ["base", "sort", "wire", "protocol:types", "output:types"],
  // Who decides: pure.
  schedule: [
    "base",
    "protocol",
    "wire/stored",
    "wire/protobuf/string-table",
    "job:types",
    "input:types",
    "sort:types",
    "storage:types",
    "state:types",
  ],
  // A client of etcd, which has messages and connections as our own calls have.
  state: ["base", "wire/gen/etcd", "rpc/client/session"],
  // Who works: the stages of a job, and the process that runs them.
  task: [
    "base",
    "job",
    "format",
    "input",
    "storage",
    "kernel",
    "sort",
    "shuffle",
    "output",
    "protocol",
    "checkpoint:types",
  ],
  slot: [
    "base",
    "task",
    "checkpoint",
    "sort",
    "shuffle",
    "storage",
    "tier",
    "kernel",
    "wire",
    "protocol",
    "rpc",
    "job",
    "input",
  ],
  // The processes.
  worker: [
    "base",
    "slot",
    "sort",
    "shuffle",
    "storage",
    "tier",
    "kernel:types",
    "protocol",
    "wire",
    "rpc",
    "job",
    "output",
    "input:types",
  ],
  master: ["base", "schedule", "state", "protocol", "wire", "rpc", "output", "storage", "job:types"],
  sim: [
    "base",
    "job",
    "format",
    "input",
    "storage",
    "kernel",
    "sort",
    "shuffle",
    "output",
    "task",
    "schedule",
    "state",
    "protocol",
    "wire",
    "rpc",
    "master",
    "worker",
    "slot",
    "tier",
  ],
  // What runs a job for a caller, and the doors that people use.
  engine: ["base", "job", "input", "output", "storage", "protocol", "worker", "master:types", "task:types"],
  "engine/local": [
    "base",
    "engine",
    "job:types",
    "master",
    "worker",
    "slot:types",
    "protocol",
    "wire",
    "rpc",
    "schedule",
    "state",
    "storage",
    "tier",
    "output",
    "input",
    "kernel:types",
  ],
  "engine/remote": ["base", "engine", "job:types", "protocol", "rpc", "worker", "master", "storage", "output"],
  cli: [
    "base",
    "job",
    "format",
    "input",
    "guess",
    "storage",
    "kernel",
    "output",
    "task",
    "schedule:types",
    "protocol",
    "wire",
    "rpc",
    "master",
    "worker",
    "sim",
    "tier",
    "slot/orphan-watch",
    "engine",
    "engine/run",
    "engine/local",
    "engine/remote",
    "index.:types",
    "testing.:types",
  ],
  "engine/run": ["base", "job", "protocol", "output", "storage", "engine", "engine/local/open", "engine/remote"],
  "index.": ["job", "engine/run"],
  "testing.": ["base", "job", "task"],
  "boot.": ["base"],
};
const forbidden = [
  {
    name: "no-circular",
    severity: "error",
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
  },
  {
    name: "no-tests-in-product",
    severity: "error",
    from: { path: "^src/", pathNot: "\\.test\\.ts$" },
    to: { path: "^test/|\\.test\\.ts$" },
  },
  {
    name: "the-scheduler-is-pure",
    severity: "error",
    from: { path: "^src/schedule/", pathNot: "\\.test\\.ts$" },
    to: { path: "^src/base/system/", dependencyTypesNot: ["type-only"] },
  },
  {
    name: "no-builtins-in-the-scheduler",
    severity: "error",
    from: { path: "^src/schedule/", pathNot: "\\.test\\.ts$" },
    to: { dependencyTypes: ["core"] },
  },
  {
    // Whoever loads a job's module runs its code: a slot, and the commands that look at a job.
    name: "who-loads-a-job",
    severity: "error",
    from: { path: "^src/", pathNot: "\\.test\\.ts$|^src/slot/program[.]ts$|^src/cli/here[.]ts$" },
    to: { path: "^src/job/load/load[.]ts$" },
  },
];
/** Folders whose own files stand above those in the folders below them: "engine" is not "engine/local". */
const split = new Set(["engine"]);
/** "base": that folder; "boot.": the file of that name; "job/codecs": a part of a folder. */
function pathOf(name) {
  if (name.endsWith(".")) return `^src/${name.slice(0, -1)}[.]ts$`;
  if (split.has(name)) return `^src/${name}/[^/]+$`;
  return name.includes("/") ? `^src/${name}[/.]` : `^src/${name}/`;
}
for (const [folder, allowed] of Object.entries(may)) {
  const anyOf = [folder, ...allowed.filter((name) => !name.endsWith(":types"))].map(pathOf);
  const typesOf = allowed.filter((name) => name.endsWith(":types")).map((name) => pathOf(name.slice(0, -6)));
  forbidden.push({
    name: `${folder.replace(".", "-ts")}-imports`,
    severity: "error",
    from: { path: pathOf(folder), pathNot: "\\.test\\.ts$" },
    to: { path: "^src/", pathNot: [...anyOf, ...typesOf] },
  });
  if (typesOf.length > 0) {
    forbidden.push({
      name: `${folder.replace(".", "-ts")}-types-only`,
      severity: "error",
      from: { path: pathOf(folder), pathNot: "\\.test\\.ts$" },
      to: { path: typesOf, pathNot: anyOf, dependencyTypesNot: ["type-only"] },
    });
  }
}
module.exports = {
  forbidden,
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "src/[a-z]+/assembly|src/wire/gen" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { extensions: [".ts", ".js"] },
  },
};
