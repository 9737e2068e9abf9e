// Seeded bugs: each a patch of one or more of the product's sources, where it comes from, which invariants must
// notice it, and the faults among which it shows soonest (its swarm profile). Applied when the simulation is bundled;
// a patch that does not fit exactly once fails the gate.
const scheduler = (name) => `src/schedule/${name}.ts`;
const patch = (file, find, replace) => ({ file, find, replace });

const masterFaults = ["crash-masters", "stop-masters", "depose-masters", "failing-store"];
const workerFaults = ["crash-workers", "lose-disks", "stop-workers", "lose-runs"];
const onEtcd = {
  faults: ["stop-masters", "crash-masters", "slow-store", "cut-links", "unknown-outcomes", "late-duplicates"],
  change: { store: "etcd", masters: 3 },
};
const etcd = (name) => `src/state/etcd/${name}.ts`;
const calm = { without: ["user-errors", "poison-record", "cancel-jobs", "hanging-attempts", "slot-deaths"] };

export const mutants = [
  {
    name: "attempt numbers begin anew with each master",
    source: "SPARK-24552, fault 43",
    invariants: ["I6", "I3", "I5"],
    profile: { ...calm, faults: masterFaults },
    patches: [
      patch(
        scheduler("assign/assign"),
        "epoch: cluster.epoch, attempt: cluster.attemptNumber++",
        "epoch: 1, attempt: cluster.attemptNumber++",
      ),
    ],
  },
  {
    name: "the store does not fence",
    source: "fault 33, etcd lock",
    invariants: ["I3"],
    profile: { faults: masterFaults, change: { stepsDownByClock: false, masters: 3 } },
    patches: [patch("src/state/memory.ts", "if (lost.signal.aborted) throw notLeader(own);", "")],
  },
  {
    name: "transactions of etcd do not compare the sequence",
    source: "a transaction that timed out and comes late, seen with etcd 3.4",
    invariants: ["I19"],
    profile: { ...onEtcd, change: { ...onEtcd.change, messageRate: 0.1 } },
    patches: [
      patch(
        etcd("writer"),
        "compare: [createdAt(this.#layout.leader, this.#fence), hasValue(sequence, before as Buffer)],",
        "compare: [createdAt(this.#layout.leader, this.#fence)],",
      ),
    ],
  },
  {
    name: "transactions of etcd are not fenced",
    source: "fault 33, etcd lock",
    invariants: ["I3", "I19"],
    profile: onEtcd,
    patches: [
      patch(
        etcd("writer"),
        "compare: [createdAt(this.#layout.leader, this.#fence), hasValue(sequence, before as Buffer)],",
        "compare: [],",
      ),
    ],
  },
  {
    name: "the deadline is not compared after etcd's answer",
    source: "a stopped leader that saw the answer to a commit from before, seen with etcd 3.4",
    invariants: ["I19"],
    profile: { ...onEtcd, change: { ...onEtcd.change, leaseMs: 3000 } },
    patches: [
      patch(etcd("writer"), "      this.check(); // a process that was stopped may see an answer of long ago\n", ""),
    ],
  },
  {
    name: "a commit that broke off is taken for whole",
    source: "fault 31",
    invariants: ["I19"],
    profile: { faults: masterFaults, change: { transactionMax: 1 } },
    patches: [
      patch(
        "src/sim/state-client.ts",
        "        throw error;\n      }\n    },\n    async resign()",
        "      }\n    },\n    async resign()",
      ),
    ],
  },
  {
    name: "a worker follows orders of lower epochs",
    source: "fault 33",
    invariants: ["I3"],
    profile: {
      ...calm,
      faults: [...masterFaults, "late-messages", "slow-messages"],
      change: { masters: 3, adoptMs: 0, messageRate: 0.1, workers: 5, jobs: 3, mapsMax: 8, chaosMs: 150_000 },
    },
    patches: [patch("src/worker/agent/master-calls.ts", "if (orders.epoch < this.#epoch) return false;", "")],
  },
  {
    name: "the last completion wins",
    source: "Hadoop, faults 5 and 8",
    invariants: ["I5", "I7", "I11"],
    profile: {
      ...calm,
      faults: ["stragglers", "repeat-messages"],
      change: { backupSlowdown: 1.2, jobs: 3, mapsMax: 8, workers: 5, attemptLeases: 0.3, attemptRate: 0.3 },
    },
    patches: [
      patch(scheduler("complete"), "  if (isDone(task)) return;\n", ""),
      patch(
        scheduler("hear"),
        "if (!canWin || !isActive(attempt.task.job)) return;",
        "if (!isActive(attempt.task.job)) return;",
      ),
    ],
  },
  {
    name: "a submission repeated is another one",
    source: "fault 44",
    invariants: ["I4", "I5", "I9"],
    profile: { faults: ["repeat-messages", "lose-messages"] },
    patches: [patch(scheduler("scheduler"), "if (cluster.jobs.has(id)) return;", "")],
  },
  {
    name: "ids of jobs collide",
    source: "SPARK-33402, fault 42",
    invariants: ["I4", "I17", "I9"],
    profile: { change: { jobs: 3 } },
    patches: [patch("src/master/master.ts", ".update(idempotencyKey)", ".update(idempotencyKey.slice(0, 4))")],
  },
  {
    name: "no roll-back when a digest changed",
    source: "SPARK-23207, fault 22",
    invariants: ["I7", "I1", "I5"],
    profile: { ...calm, faults: workerFaults },
    patches: [
      patch(
        scheduler("complete"),
        "const isChanged = before?.emissionDigest !== undefined && before.emissionDigest !== emissionDigest;",
        "const isChanged = (before === undefined) !== (before === undefined);",
      ),
    ],
  },
  {
    name: "reduces that won stay when a digest changed",
    source: "SPARK-23243",
    invariants: ["I7", "I1", "I4"],
    profile: { ...calm, faults: workerFaults, change: { partitionsMax: 5 } },
    patches: [
      patch(scheduler("complete"), "update(task, () => (task.winner = undefined));\n      job.sum = undefined;", ""),
    ],
  },
  {
    name: "a reduce of an old version counts",
    source: "fault 22 (no input-version vector)",
    invariants: ["I7", "I1", "I4", "I5"],
    // Others notice that the job gets stuck; that a wrong result counts takes a reduce that is late at the right
    // moment.
    seedsMax: 3000,
    profile: {
      faults: ["stragglers", "depose-masters", "crash-workers", "lose-disks"],
      without: [
        ...calm.without,
        "slow-store",
        "failing-store",
        "stop-masters",
        "crash-masters",
        "cut-links",
        "stop-workers",
        "drain-workers",
        "bad-worker",
        "flap-worker",
        "lose-messages",
        "late-messages",
        "failing-attempts",
      ],
      change: {
        attemptLeases: 0.3,
        attemptRate: 0.5,
        mapsMax: 4,
        partitionsMax: 3,
        workers: 5,
        backupSlowdown: 3,
        leaseMs: 3000,
        faultEveryMs: 1500,
      },
    },
    patches: [patch(scheduler("complete"), "if (mapVersion < task.job.mapVersionMin) {", "if (mapVersion < 0) {")],
  },
  {
    name: "a new master forgets which reduces were rolled back",
    source: "faults 22 and 46",
    invariants: ["I7", "I1", "I4", "I5"],
    profile: { ...calm, faults: [...workerFaults, ...masterFaults] },
    patches: [
      patch(
        scheduler("stored-job"),
        "for (const task of job.maps) job.mapVersionMin = Math.max(job.mapVersionMin, task.digestVersion);",
        "",
      ),
    ],
  },
  {
    name: "acknowledged before it is durable",
    source: "Jepsen NATS 2.12.1, fault 31",
    invariants: ["I4"],
    profile: { faults: [...masterFaults, "slow-store"] },
    patches: [
      patch(
        "src/master/loop.ts",
        "if (changes.length > 0) await this.#commit(changes);",
        "for (const item of batch) item.done();\n      if (changes.length > 0) await this.#commit(changes);",
      ),
    ],
  },
  {
    name: "published without a durable decision",
    source: "Hadoop's committer v2, fault 32",
    invariants: ["I2", "I9"],
    profile: calm,
    patches: [
      patch(
        scheduler("commit"),
        "put(cluster, keys.decision(job.id), encodeDecision(decision));",
        "encodeDecision(decision);",
      ),
    ],
  },
  {
    name: "what was decided is not published by the next master",
    source: "MAPREDUCE-5485, fault 32",
    invariants: ["I16"],
    profile: { ...calm, faults: [...masterFaults, "slow-storage"] },
    patches: [
      patch(
        scheduler("commit"),
        '  if (job.stage === "publishing") {\n    publish(cluster, job);\n    return;\n  }',
        '  if (job.stage === "publishing") return;',
      ),
    ],
  },
  {
    name: "a job ends again with each report that it is published",
    source: "faults 5 and 33",
    invariants: ["I9", "I2"],
    profile: { ...calm, faults: [...masterFaults, "slow-storage", "failing-storage"] },
    patches: [
      patch(
        scheduler("commit"),
        'if (job?.stage !== "publishing") return;\n  note',
        "if (job === undefined) return;\n  note",
      ),
      patch(
        scheduler("commit"),
        'if (job?.stage === "publishing") end(cluster, job, "failed", error);',
        'if (job?.ended === undefined && job !== undefined) end(cluster, job, "failed", error);',
      ),
      patch(
        "src/master/publisher.ts",
        'await happened({ kind: "output-published", job });',
        'await happened({ kind: "output-published", job });\n        await happened({ kind: "output-published", job });',
      ),
    ],
  },
  {
    name: "a decided job can be cancelled",
    source: "fault 45",
    invariants: ["I9", "I2", "I17"],
    profile: {
      faults: ["cancel-jobs", "slow-storage"],
      without: ["user-errors", "poison-record", "failing-attempts", "lose-disks", "crash-workers"],
      change: { jobs: 3, faultEveryMs: 200, attemptLeases: 0.02, mapsMax: 2, chaosMs: 60_000 },
    },
    patches: [
      patch(
        scheduler("commit"),
        'if (job !== undefined && isOpen(job)) end(cluster, job, "cancelled", undefined);',
        'if (job !== undefined && job.stage !== "over") end(cluster, job, "cancelled", undefined);',
      ),
    ],
  },
  {
    name: "a fetch failure is believed of whatever attempt",
    source: "fault 5 (stale fetch failure)",
    invariants: ["I5"],
    profile: {
      ...calm,
      faults: ["lose-runs", "damage-runs"],
      change: { attemptLeases: 0.3, jobs: 3, mapsMax: 4, partitionsMax: 5, workers: 4, maxSlots: 3, chaosMs: 100_000 },
    },
    patches: [
      patch(
        scheduler("failure"),
        "if (lost?.winner !== undefined && sameAttempt(lost.winner.attempt, map)) {",
        "if (lost?.winner !== undefined) {",
      ),
      patch(
        scheduler("failure"),
        "return mapVersion === undefined ? map.placements <= 1 : mapVersion >= map.placedAt;",
        "return true;",
      ),
    ],
  },
  {
    name: "maps of a lost worker are not done again",
    source: "MapReduce 3.3, fault 93",
    invariants: ["I12", "I16"],
    profile: { ...calm, faults: workerFaults },
    patches: [patch(scheduler("lease"), "  loseRunsOfSilent(cluster, worker);\n", "")],
  },
  {
    name: "runs of a dead process count as its successor's",
    source: "fault 6",
    invariants: ["I12"],
    profile: { ...calm, faults: ["lose-disks", "crash-workers", "flap-worker"] },
    patches: [patch(scheduler("hear"), "if (isReborn) loseRunsOfDead(cluster, worker);", "")],
  },
  {
    name: "nobody's lease ends",
    source: "mrlite: is_assigned is never reset; no heartbeat",
    invariants: ["I16"],
    profile: {
      ...calm,
      faults: ["crash-workers", "stop-workers"],
      change: { masters: 1 },
      without: [
        ...calm.without,
        "crash-masters",
        "stop-masters",
        "depose-masters",
        "failing-store",
        "flap-worker",
        "cut-links",
      ],
    },
    patches: [patch(scheduler("scheduler"), "  expireLeases(cluster);\n", "")],
  },
  {
    name: "reduces are never marked done",
    source: "mrlite: reduce tasks never marked done",
    invariants: ["I16"],
    profile: calm,
    patches: [patch(scheduler("state/job"), "job.reducesWon += sign;", "job.reducesWon += sign * 0;")],
  },
  {
    name: "two workers get one task",
    source: "mrlite: find-then-update in two calls",
    invariants: ["I11", "I5"],
    profile: { ...calm, faults: workerFaults },
    patches: [
      patch(
        scheduler("state/attempt"),
        "if (task.isQueued || task.attempts.length > 0 || isDone(task)) return;",
        "if (task.isQueued || isDone(task)) return;",
      ),
      patch(scheduler("state/task"), "return task.attempts.length === 0 && !isDone(task);", "return !isDone(task);"),
    ],
  },
  {
    name: "reduces start before all maps are done",
    source: "corral: reduces run although a map has failed",
    invariants: ["I12", "I1"],
    profile: calm,
    patches: [
      patch(
        scheduler("state/job"),
        'return job.stage === "working" && job.mapsLive === job.maps.length;',
        'return job.stage === "working";',
      ),
    ],
  },
  {
    name: "late reports of expired attempts are taken",
    source: "an MIT lab solution; fault 4",
    invariants: ["I5", "I11", "I6"],
    profile: { ...calm, faults: ["stop-workers", "late-messages", "slow-messages", "cut-links"] },
    patches: [
      patch(scheduler("state/attempt"), "if (id.epoch >= cluster.epoch) return undefined;\n", ""),
      patch(
        scheduler("state/attempt"),
        "return task === undefined || isDone(task) ? undefined : task;",
        "return task;",
      ),
      patch(scheduler("complete"), "  if (isDone(task)) return;\n", ""),
    ],
  },
  {
    name: "an attempt is begun each time it is ordered",
    source: "fault 5",
    invariants: ["I6", "I11"],
    profile: { faults: ["repeat-messages", "late-messages", "slow-messages"], change: { messageRate: 0.1 } },
    patches: [
      patch(
        "src/worker/agent/known-jobs.ts",
        "return this.#seen.get(attempt.job)?.has(attemptName(attempt)) !== true;",
        'return attemptName(attempt) !== "";',
      ),
    ],
  },
  {
    name: "a worker gets more than it has slots",
    source: "I11",
    invariants: ["I11"],
    profile: calm,
    patches: [
      patch(
        scheduler("state/worker"),
        "return Math.min(worker.slots - worker.attempts.size - worker.strays.length, worker.slotsFree - unlisted);",
        "return worker.slots + 1 - unlisted;",
      ),
    ],
  },
  {
    name: "a worker gets more ahead than it takes",
    source: "I11",
    invariants: ["I11"],
    profile: calm,
    patches: [
      patch(
        scheduler("state/worker"),
        "return worker.slots + worker.slotsAhead - worker.attempts.size - worker.strays.length;",
        "return worker.slots + worker.slotsAhead + 2 - worker.attempts.size;",
      ),
    ],
  },
  {
    name: "backups run where it is slow",
    source: "MapReduce 3.6, fault 7",
    invariants: ["I11"],
    profile: {
      ...calm,
      faults: ["stragglers"],
      change: { backupSlowdown: 1.2, maxSlots: 3, mapsMax: 8, attemptRate: 0.15, workers: 2 },
    },
    patches: [patch(scheduler("assign/backup"), "if (worker !== busy && capacity", "if (capacity")],
  },
  {
    name: "an attempt that fails is tried for ever",
    source: "SPARK-25250, SPARK-26634, fault 9",
    invariants: ["I10"],
    profile: { faults: ["slot-deaths", "user-errors"], change: { attemptRate: 0.15 } },
    patches: [
      patch(scheduler("failure"), "if (task.failures + 1 >= job.spec.attemptsMax) {", "if (task.failures < 0) {"),
    ],
  },
  {
    name: "infrastructure fails without end",
    source: "SPARK-26634",
    invariants: ["I10", "I16"],
    profile: {
      ...calm,
      faults: ["failing-attempts"],
      change: { workers: 2, attemptRate: 0.97, attemptLeases: 0.05, chaosMs: 300_000 },
    },
    patches: [
      patch(
        scheduler("failure"),
        "return task.infrastructureFailures + 1 >= cluster.options.infrastructureFailuresMax;",
        "return task.infrastructureFailures < 0;",
      ),
    ],
  },
  {
    name: "more dead letters than allowed",
    source: "fault 21",
    invariants: ["I10"],
    profile: { faults: ["poison-record"], without: calm.without.filter((kind) => kind !== "poison-record") },
    patches: [
      patch(
        scheduler("failure"),
        "if (job.deadLetters + job.deadLetterLines + 1 > job.spec.skipBad) {",
        "if (job.deadLetters < 0) {",
      ),
      patch(
        scheduler("commit"),
        "if (job.deadLetters + job.deadLetterLines > skipBad) {",
        "if (job.deadLetters < 0) {",
      ),
    ],
  },
  {
    name: "reports out of order are all believed",
    source: "fault 5",
    invariants: ["I11", "I6", "I12", "I10", "I5", "I16"],
    profile: { ...calm, faults: ["slow-messages", "late-messages", "repeat-messages"], change: { messageRate: 0.1 } },
    patches: [
      patch(
        scheduler("hear"),
        "const isNewest = report.sequence > worker.sequence;",
        "const isNewest = report.sequence > -1;",
      ),
    ],
  },
  {
    name: "a dead process's reports are heard",
    source: "KIP-890: a delayed message of the one before",
    invariants: ["I11", "I12", "I5", "I6", "I10", "I16"],
    profile: {
      ...calm,
      faults: ["slow-messages", "late-messages", "repeat-messages", "flap-worker", "crash-workers"],
      change: { messageRate: 0.1 },
    },
    patches: [
      patch(scheduler("hear"), "if (report.incarnation < worker.incarnation) return;", ""),
      patch(
        scheduler("hear"),
        "const isReborn = report.incarnation > worker.incarnation;",
        "const isReborn = report.incarnation !== worker.incarnation;",
      ),
    ],
  },
  {
    name: "a worker that was started anew goes unheard until it has reported as often as before",
    source: "KAFKA-20357",
    invariants: ["I16", "I5"],
    profile: {
      ...calm,
      faults: ["crash-workers", "flap-worker", "drain-workers"],
      change: { masters: 1 },
      without: [...calm.without, "crash-masters", "stop-masters", "depose-masters", "failing-store"],
    },
    patches: [patch(scheduler("hear"), "  worker.sequence = -1;\n", "")],
  },
  {
    name: "counters of every attempt are added",
    source: "I15, fault 87",
    invariants: ["I15", "I4"],
    profile: { ...calm, faults: workerFaults },
    patches: [
      patch(
        scheduler("complete"),
        'if (isFirst && task.phase !== "plan") job.sum?.add(task.phase, done);\n  else job.sum = undefined;',
        'if (task.phase !== "plan") job.sum?.add(task.phase, done);',
      ),
    ],
  },
  {
    name: "files of the attempt before are published too",
    source: "SPARK-39195, HADOOP-17258: a second attempt doubles the rows; fault 2",
    invariants: ["I1"],
    profile: { ...calm, faults: workerFaults, change: { partitionsMax: 3 } },
    patches: [
      patch(
        scheduler("complete"),
        "    staged: done.staged,\n",
        "    staged: [...(attempt.task.winner?.staged ?? []), ...done.staged, ...done.staged],\n",
      ),
    ],
  },
  {
    name: "an output that is lost is not made again",
    source: "MapReduce 3.3",
    invariants: ["I16"],
    profile: {
      ...calm,
      faults: workerFaults,
      without: [...calm.without, "crash-masters", "stop-masters", "depose-masters", "failing-store"],
    },
    patches: [patch(scheduler("lost"), "  requeue(cluster, task, avoid);\n", "")],
  },
  {
    name: "what a job has on workers stays there",
    source: "I14, fault 66",
    invariants: ["I14"],
    profile: calm,
    patches: [
      patch(
        scheduler("discard"),
        "if (worker === undefined || worker.discards.has(job)) return;",
        "if (worker !== undefined) return;",
      ),
    ],
  },
  {
    name: "what a job has in the store stays there",
    source: "I14, fault 47",
    invariants: ["I14", "I16"],
    profile: calm,
    patches: [patch(scheduler("scheduler"), "  sweep(cluster);\n", "")],
  },
  {
    name: "what a job has staged stays there",
    source: "I14, fault 66",
    invariants: ["I14"],
    profile: { ...calm, change: { partitionsMax: 3 } },
    patches: [patch("src/master/publisher.ts", "this.#options.storage.discard(destination, job)", "Promise.resolve()")],
  },
  {
    name: "a heartbeat is answered at once, always",
    source: "fault 55",
    invariants: ["I16"],
    profile: calm,
    patches: [
      patch(
        "src/master/waiting-calls.ts",
        "this.#waiting.set(worker, waiting);\n",
        "this.#waiting.set(worker, waiting);\n          waiting.answer(ordersFor(worker));\n",
      ),
    ],
  },
  {
    name: "acknowledged results are reported again and again",
    source: "fault 3",
    invariants: ["I16", "I13"],
    profile: calm,
    patches: [
      patch(
        "src/worker/agent/agent.ts",
        "for (const { attempt } of report.finished) this.#finished.delete(fullAttemptName(attempt));",
        "",
      ),
    ],
  },
  {
    name: "an order is given once, though its answer may be lost",
    source: "fault 3; a worker that hears no orders (seed 170)",
    invariants: ["I16"],
    profile: { ...calm, faults: ["lose-messages", "cut-links"], change: { messageRate: 0.1 } },
    patches: [
      patch(
        scheduler("hear"),
        "else if (cluster.now - attempt.since > cluster.options.leaseMs) giveUpOn(cluster, attempt);",
        "",
      ),
    ],
  },
  {
    name: "decided before asked",
    source: "a promise that is not awaited; fault 26",
    invariants: ["I18"],
    profile: { ...calm, faults: ["late-calls"], change: { mapsMax: 4, workers: 3 } },
    patches: [patch(scheduler("closing"), "if (worker.incarnation === job.ran.get(id)) return false;", "")],
  },
  {
    name: "an answer counts though the worker was given more",
    source: "fault 5",
    invariants: ["I18"],
    profile: { ...calm, faults: ["failing-attempts", "crash-workers", "stragglers"], change: { attemptRate: 0.15 } },
    patches: [
      patch(
        scheduler("closing"),
        "job === undefined || !isOpen(job) || hasAttempts(worker, id)",
        "job === undefined || !isOpen(job)",
      ),
      patch(scheduler("state/attempt"), "  task.job.answered.delete(worker.id);\n", ""),
    ],
  },
  {
    name: "a draining worker leaves while its runs are needed",
    source: "put in by hand; fault 92",
    invariants: ["I18"],
    profile: { ...calm, faults: ["drain-workers"], change: { partitionsMax: 5, attemptLeases: 0.8, workers: 3 } },
    patches: [
      patch(
        "src/worker/agent/agent.ts",
        "if (this.#mayLeave || this.#runs.jobs().length === 0) this.#released?.resolve();",
        "this.#released?.resolve();",
      ),
    ],
  },
  {
    name: "decided without a look at the staged files",
    source: "A staged file that somebody has removed",
    invariants: ["I1"],
    profile: { ...calm, faults: ["lose-staged"], change: { jobs: 3, faultEveryMs: 500 } },
    patches: [
      patch(
        scheduler("closing"),
        "closing.areFilesThere = folders.length === 0;",
        "closing.areFilesThere = folders.length >= 0;",
      ),
    ],
  },
  {
    name: "a decision is withdrawn while its job goes on",
    source: "I9: undone only behind an end",
    invariants: ["I9", "I4"],
    profile: {
      ...calm,
      faults: ["lose-staged", "resume-jobs", "crash-masters", "failing-store"],
      change: { keepFailed: true, jobs: 3, faultEveryMs: 400, transactionMax: 1, chaosMs: 150_000 },
    },
    patches: [
      patch(
        scheduler("commit"),
        "  if (withdrawn !== undefined) undecide(cluster, job, withdrawn);\n  cluster.changes.push({ delete: keys.ended(job.id) });\n",
        "  cluster.changes.push({ delete: keys.ended(job.id) });\n  if (withdrawn !== undefined) undecide(cluster, job, withdrawn);\n",
      ),
    ],
  },
  {
    name: "a revoked attempt has no end that is told",
    source: "histories in which attempts run for ever",
    invariants: ["I10"],
    profile: { ...calm, faults: ["stragglers"], change: { backupSlowdown: 1.2, attemptRate: 0.3, workers: 4 } },
    patches: [patch(scheduler("state/attempt"), "if (!isNoted) note(", "if (cluster.epoch < 0) note(")],
  },
];
