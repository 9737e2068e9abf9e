// Who may import whom (ARCHITECTURE.md): a folder may import the folders listed for it, and itself. Type-only imports are
// edges like any other; where only types may cross, the rule says so. "name." is a file above the folders.
const may = {
  base: [],
  job: ["base", "format", "kernel:types"],
  format: ["base", "job:types", "job/codecs"],
  storage: ["base", "sort:types"],
  input: ["base", "storage", "format", "job:types"],
  kernel: ["base"],
  sort: ["base", "kernel", "storage:types"],
  shuffle: ["base", "sort", "kernel:types", "rpc/http:types", "rpc/signature", "rpc/worker-address"],
  output: ["base", "storage", "format", "schedule:types"],
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
    "rpc/messages:types",
    "rpc/stats",
  ],
  schedule: ["base", "job:types", "input:types", "sort:types", "storage:types", "rpc", "state:types"],
  state: ["base"],
  rpc: ["base", "job:types", "input:types", "sort:types", "storage:types", "schedule:types", "output/part-name"],
  master: ["base", "schedule", "state", "rpc", "output", "storage", "job:types"],
  worker: ["base", "task", "sort", "shuffle", "storage", "kernel", "rpc", "job", "output", "input"],
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
    "rpc",
    "master",
    "worker",
  ],
  local: [
    "base",
    "engine.:types",
    "input",
    "job",
    "local.",
    "master",
    "output",
    "rpc",
    "schedule",
    "state",
    "storage",
    "task:types",
    "worker",
    "remote/connect",
    "remote/describe:types",
    "remote.",
  ],
  remote: ["base", "job:types", "local", "rpc", "schedule:types", "worker"],
  cli: [
    "base",
    "job",
    "format",
    "input",
    "storage",
    "kernel",
    "output",
    "task",
    "schedule:types",
    "rpc",
    "master",
    "worker",
    "sim",
    "local",
    "remote",
    "engine.",
    "local.",
    "remote.",
    "index.:types",
    "testing.:types",
  ],
  "index.": ["job", "run."],
  "testing.": ["base", "job", "task"],
  "run.": ["base", "job:types", "local"],
  "engine.": ["base:types", "input:types", "job:types", "local:types", "schedule:types", "storage:types"],
  "local.": ["base", "engine.:types", "local", "master", "schedule:types", "storage", "task:types", "worker"],
  "remote.": ["base", "engine.:types", "job", "local", "master", "remote", "rpc", "storage"],
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
    to: { path: "^src/base/(clock|random|host|log|failpoint|parallel)[.]", dependencyTypesNot: ["type-only"] },
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
    from: { path: "^src/", pathNot: "\\.test\\.ts$|^src/worker/slot-program[.]ts$|^src/cli/here[.]ts$" },
    to: { path: "^src/job/load[.]ts$" },
  },
];
/** "base": that folder; "local.": the file of that name above the folders; "job/codecs": a part of a folder. */
function pathOf(name) {
  if (name.endsWith(".")) return `^src/${name.slice(0, -1)}[.]ts$`;
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
