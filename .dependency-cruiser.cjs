// Who may import whom (ARCHITECTURE.md): a folder may import the folders listed for it, and itself. Type-only imports are
// edges like any other; where only types may cross, the rule says so.
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
];
for (const [folder, allowed] of Object.entries(may)) {
  const anyOf = [folder, ...allowed.filter((name) => !name.endsWith(":types"))].map((name) => `^src/${name}[/.]`);
  const typesOf = allowed.filter((name) => name.endsWith(":types")).map((name) => `^src/${name.slice(0, -6)}[/.]`);
  forbidden.push({
    name: `${folder}-imports`,
    severity: "error",
    from: { path: `^src/${folder}/`, pathNot: "\\.test\\.ts$" },
    to: { path: "^src/", pathNot: [...anyOf, ...typesOf] },
  });
  if (typesOf.length > 0) {
    forbidden.push({
      name: `${folder}-types-only`,
      severity: "error",
      from: { path: `^src/${folder}/`, pathNot: "\\.test\\.ts$" },
      to: { path: typesOf, pathNot: anyOf, dependencyTypesNot: ["type-only"] },
    });
  }
}
module.exports = {
  forbidden,
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "src/[a-z]+/assembly|src/rpc/gen" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { extensions: [".ts", ".js"] },
  },
};
