// Seeded bugs where the simulation does not come: each a patch of the product's sources and the test file that must
// fail because of it. Vitest applies it (vitest.config.ts) when it loads the file; a patch that does not fit exactly
// once fails the gate.
const patch = (file, find, replace) => ({ file, find, replace });

export const testMutants = [
  {
    name: "LevelDB commits without a sync",
    source: "Jepsen NATS 2.12.1, fault 31",
    test: "src/state/leveldb-sync.test.ts",
    patches: [patch("src/state/leveldb.ts", "(batch, { sync: true })", "(batch, { sync: false })")],
  },
  {
    name: "a commit is acknowledged before LevelDB has it",
    source: "Jepsen NATS 2.12.1, fault 31",
    test: "test/crash/state.test.ts",
    patches: [
      patch("src/state/leveldb.ts", "      await database.batch(batch, {", "      void database.batch(batch, {"),
    ],
  },
  {
    name: "a publish that was cut off is in its own way",
    source: "ALICE, fault 64",
    test: "test/crash/publish.test.ts",
    patches: [
      patch(
        "src/storage/local/publish.ts",
        'await unless(["EEXIST"], fs.promises.mkdir(hidden.publish));',
        "await fs.promises.mkdir(hidden.publish);",
      ),
    ],
  },
  {
    name: "a staged file is closed without fsync",
    source: "ALICE, fault 64",
    test: "src/storage/local/power.test.ts",
    patches: [
      patch("src/storage/local/stage.ts", "this.#fs.fsyncSync(this.#fd);\n      this.#close();", "this.#close();"),
    ],
  },
  {
    name: "the folder of a staged file is not synced",
    source: "ALICE, fault 64",
    test: "src/storage/local/power.test.ts",
    patches: [patch("src/storage/local/stage.ts", "    syncDirectory(this.#fs, this.#hidden.files);\n", "")],
  },
  {
    name: "folders above staged files are not synced before the decision",
    source: "ALICE, fault 64",
    test: "src/storage/local/power.test.ts",
    patches: [patch("src/storage/local/lost.ts", "if (files.length > 0) await syncFolders(fs, hidden);", "")],
  },
  {
    name: "an output's folders are not synced before it appears",
    source: "ALICE, fault 64",
    test: "src/storage/local/power.test.ts",
    patches: [
      patch(
        "src/storage/local/publish.ts",
        "  for (const directory of [...directories].reverse()) await sync(fs, directory);\n",
        "",
      ),
    ],
  },
  {
    name: "the folder that an output appears in is not synced",
    source: "ALICE, fault 64",
    test: "src/storage/local/power.test.ts",
    patches: [
      patch(
        "src/storage/local/publish.ts",
        "    await sync(fs, hidden.destination);\n    await sync(fs, hidden.parent);\n",
        "    await sync(fs, hidden.destination);\n",
      ),
    ],
  },
  {
    name: "staging not renamed when a decision is withdrawn",
    source: "A publisher that was paused goes on with the old decision",
    test: "src/storage/local/withdraw.test.ts",
    patches: [
      patch(
        "src/storage/local/withdraw.ts",
        'await unless(["ENOENT", "ENOTEMPTY", "EEXIST"], fs.promises.rename(hidden.staging, hidden.withdrawn));',
        'await unless(["ENOENT"], fs.promises.cp(hidden.staging, hidden.withdrawn, { recursive: true }));',
      ),
    ],
  },
  {
    name: "a transfer's sum is not compared with the footer's",
    source: "SPARK-35275, fault 53",
    test: "src/shuffle/segment-sum.test.ts",
    patches: [
      patch(
        "src/shuffle/segment-stream.ts",
        "if (current.pairs !== pairs || current.digest !== digest) {",
        "if (current.pairs !== pairs && current.digest === -1n) {",
      ),
    ],
  },
  {
    name: "footers of offered runs are not verified",
    source: "fault 6",
    test: "src/worker/disk/offered.test.ts",
    patches: [patch("src/worker/disk/offered.ts", "      reader.checkFooter();\n", "")],
  },
  {
    name: "the digest of an offered run is not compared",
    source: "SPARK-23207, fault 6",
    test: "src/schedule/offers.test.ts",
    patches: [
      patch(
        "src/schedule/lost.ts",
        "return offer.emissionDigest === winner.emissionDigest ? offer : undefined;",
        "return offer;",
      ),
    ],
  },
  {
    name: "runs are restored in another life of the worker",
    source: "fault 6",
    test: "src/schedule/offers.test.ts",
    patches: [
      patch(
        "src/schedule/lost.ts",
        "if (winner?.runLost === whyLost.unheard && winner.incarnation === worker.incarnation)",
        "if (winner?.runLost === whyLost.unheard)",
      ),
    ],
  },
  {
    name: "a staged length is trusted without its checksum",
    source: "a file system that loses pages (ALICE)",
    test: "src/storage/local/local.test.ts",
    patches: [patch("src/storage/staged-prefix.ts", "if (sha256() !== prefix.sha256)", "if (prefix.bytes < 0)")],
  },
  {
    name: "a reduce goes on from a checkpoint of other map outputs",
    source: "runs of another mapVersion",
    test: "src/task/reduce/checkpoint.test.ts",
    patches: [
      patch("src/task/reduce/task.ts", "if (from !== undefined && !Buffer", "if (from?.pairs === -1 && !Buffer"),
    ],
  },
  {
    name: "what a reduce skips is not compared with its checkpoint",
    source: "what is skipped is still verified",
    test: "src/task/reduce/checkpoint.test.ts",
    patches: [
      patch(
        "src/task/reduce/side.ts",
        "if (wanted?.groups !== groups || wanted.pairs !== pairs ||",
        "if (pairs < 0 ||",
      ),
    ],
  },
  {
    name: "a worker may leave while a reduce reads from it",
    source: "put in by hand; fault 92",
    test: "src/schedule/handover.test.ts",
    patches: [
      patch("src/schedule/handover.ts", "mapVersion === undefined || mapVersion < version", "mapVersion === -1"),
    ],
  },
  {
    name: "a copy of a run counts before its blocks were verified",
    source: "fault 53",
    test: "src/worker/disk/received-run.test.ts",
    patches: [patch("src/worker/disk/received-run.ts", "      await verify(reader);\n", "")],
  },
];
