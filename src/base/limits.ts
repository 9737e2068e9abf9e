// Bounds that more than one file needs, each stated once: its name has the unit, and the comment above it the reason
// where that is not plain. A bound that only one file needs stands at the top of that file; sizes of a binary layout
// stand with that layout (test/docs/bounds.test.ts).

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

export const limits = {
  // values (named errors: over-limit)
  /** Keys are compared whole and repeated in every run; 64 of them must fit into a merge. */
  keyBytesMax: 1 * MiB,
  valueBytesMax: 64 * MiB,
  recordBytesMax: 64 * MiB,
  partitionsMax: 10_000,
  counterNamesMax: 1_000,
  counterNameBytesMax: 256,
  outputsMax: 64,
  /** A manifest has about 150 bytes per file, so this is a million files. It is held in memory whole. */
  manifestBytesMax: 256 * MiB,
  /**
   * Files whose state is asked for in parallel: an object store answers in about 20 ms, and a decision waits for all of
   * them.
   */
  looksAtOnce: 16,
  /** Deeper values are refused: they may contain themselves, and recursion has to end somewhere. */
  nestingMax: 1_000,

  // input
  inputChunkBytes: 1 * MiB,
  splitBytesMin: 1 * MiB,
  splitBytesMax: 64 * MiB,
  splitsPerInput: 32,
  /** Many small files share a split; more pieces than this make a plan entry too large. */
  piecesPerSplitMax: 4096,
  headBytes: 64 * KiB,
  /** The beginning of a file's content by which its format is guessed (`head`, `init`): some thousand records. */
  guessBytes: 1 * MiB,
  /** The header of a csv or tsv file: a million columns of 16 bytes. Every split of the file reads it again. */
  headerBytesMax: 16 * MiB,
  reducerBytes: 64 * MiB,
  reducersDefaultMax: 64,
  asyncConcurrency: 16,
  /** Values that `collect` keeps of one key, unless the job says another number: a list in memory, a few MB. */
  collectMax: 100_000,
  /**
   * Different values that `countDistinct` and `topK` keep of one key, unless the job says another number: some 100 MB.
   */
  distinctMax: 1_000_000,
  /** Values that `topN` may keep of each key, and `topK` may give: those of `topN` are all merged with each other. */
  topMax: 10_000,
  /** Decompressed bytes per compressed byte above which a file counts as a bomb (gzip reaches 1032). */
  inflateRatioMax: 1100,
  /** The same for zstd, in which a short line that is repeated reaches 11,000, and zero bytes 32,768. */
  zstdRatioMax: 20_000,
  /**
   * A program of `--decompress` that neither reads nor writes for this long is stuck. Less than `taskTimeoutMs`, so
   * that the program is named and not the task.
   */
  programSilentMs: 5 * 60_000,
  /** The ratio is checked only beyond this size: a small file may well be one letter repeated. */
  bombBytesMin: 64 * MiB,
  /**
   * The largest content of a zstd frame that WebAssembly decodes whole, where Node has no zstd. A member that we write
   * has at most 8 MiB and one record.
   */
  zstdFrameBytesMax: 128 * MiB,
  /** The window of a zstd frame that every slot may hold: what the zstd program reads without being asked for more. */
  zstdWindowBytesMin: 128 * MiB,

  // kernel and runs
  arenaBytesMin: 1 * MiB,
  arenaBytesMax: 1 * GiB,
  batchBytes: 64 * KiB,
  /**
   * Batch for pairs whose values are numbers that are folded: with larger batches the table stays in the processor's
   * caches longer.
   */
  foldedBatchBytes: 1 * MiB,
  /**
   * Columns of numbers that the kernel folds itself: as many as its first 4 KiB have room for. Values of more are
   * folded by a call per value.
   */
  kernelColumnsMax: 12,
  /** A pair larger than this goes past the batch. */
  batchPairBytesMax: 16 * KiB,
  blockBytes: 64 * KiB,
  mergeFanInMax: 64,
  /** A run is written in pieces of this: few system calls, and little to hold back. */
  runWriteBytes: 256 * KiB,
  /** Bytes read in one call where segments are smaller; a merge of many partitions has one such buffer per run. */
  runReadAheadBytes: 64 * KiB,
  /**
   * Blocks too large for the arena (a value may have 64 MiB) are merged on the heap, as many at once as this holds, at
   * least two.
   */
  heapMergeBytes: 64 * MiB,
  /** Left records of one key that a join holds as objects, by their encoded size; more of them are in a file. */
  joinKeptBytes: 1 * MiB,
  /** Left free in the file system of the memory tier, for status pages and for other programs. */
  memoryTierSpareBytes: 8 * MiB,

  /** Pairs of the one key that `millrace replay --key` runs reduce for: sorted in memory, for which they are merged. */
  replayHeldBytesMax: 512 * MiB,
  /** Pairs or records that `millrace replay` shows; the others are counted. */
  replayListedMax: 1_000,

  // memory
  /** Slot processes on one machine. */
  slotsMax: 1024,
  slotMemoryBytesMin: 64 * MiB,
  /** Share of a machine's memory that is used when `--memory` is not given. */
  memoryShare: 1 / 4,

  // attempts
  attemptsMax: 4,
  /** The largest value that a user may give for `attempts`. */
  attemptsGivenMax: 100,
  /** Infrastructure failures do not count against `attempts`, but end somewhere. */
  infrastructureFailuresMax: 16,
  digestRollbacksMax: 3,
  taskTimeoutMs: 10 * 60_000,
  /** At most this much of a task is done again where an attempt at it is interrupted; tasks are mostly shorter. */
  checkpointMs: 30_000,
  /** A job's module that takes longer to load, or to be read and bundled, is stuck: an import takes seconds at most. */
  loadMs: 60_000,
  /** A user who waits for a module is told so when it loads for longer than this. */
  loadSilentMs: 1_000,
  /**
   * A process that calls the job's code itself and has not answered an interrupt after this long is busy in that code:
   * it is killed.
   */
  interruptHeardMs: 1_000,
  /**
   * A process that has answered an interrupt ends its slots and removes its files within this time; otherwise the job's
   * code has blocked it again, and it is killed.
   */
  interruptedMs: 10_000,
  /**
   * When the terminal has asked a process to stop (Ctrl-Z) and the process still runs after this long, it was not
   * stopped: no shell would continue it.
   */
  stoppedMs: 100,
  heartbeatMs: 3_000,
  leaseMs: 10_000,
  backupSlowdown: 3,
  failuresPerWorkerMax: 5,
  /** Latest winners of a phase whose median rate says which attempts are slow. */
  ratesKept: 63,
  /**
   * A phase's tasks count as short when its last one took no longer than this. An attempt that waits longer than this
   * for a slot may go to a worker that has a free one.
   */
  aheadMsMax: 1_000,
  /** Failures that a job's records hold, in a ring. */
  failuresKept: 20,
  /** Things of one kind that a message names; it gives only the number of the others. */
  namedMax: 5,
  /**
   * A slot that is asked which calls are still running is killed when it stays silent for this long beyond its own
   * wait.
   */
  settleSilenceMs: 2_000,
  /**
   * The last result of a job waits at most this long for that answer: then both travel in one report and one commit.
   */
  settleTogetherMs: 100,
  /** A late call takes some kilobytes; those beyond this number come with the next report. */
  lateCallsPerReport: 256,
  /** How long a slot waits for what user code left running before it reports an attempt, or answers `settle`. */
  settleMs: 2_000,
  /** Time between two looks at what user code left running. */
  settleTurnMs: 5,
  /**
   * Where something stayed open for all of `settleMs` before, it is not waited for again, except for this long before
   * the job's end.
   */
  settleGraceMs: 100,

  // what a report may say (protocol/check-report.ts)
  /** Workers that one master knows (`--max-workers`): some kilobytes each. */
  workersMax: 10_000,
  /** Addresses of masters in one list: each may be asked before a call is answered. */
  mastersMax: 16,
  /** The same bound as for `--slots` of a worker. */
  slotsPerWorkerMax: 1_024,
  /**
   * Attempts, running or ended, in one report. A worker takes as many ahead as it has slots, and some are being
   * stopped.
   */
  attemptsPerReportMax: 8_192,
  /** Jobs that one report names; each costs the master an order to remove it. */
  jobsPerReportMax: 4_096,
  /** Files and splits of one plan: some hundred bytes of the master's memory each. */
  plannedFilesMax: 1_000_000,
  splitsMax: 1_000_000,
  /** Hosts of one planned file. */
  hostsMax: 64,
  /** The PATH_MAX of file systems; keys of object stores are shorter. */
  pathBytesMax: 4_096,
  /** An error is shown, stored and kept in memory up to twenty times per job. Longer texts are cut. */
  errorMessageLengthMax: 8_192,
  errorStackLengthMax: 8_192,
  errorLocationLengthMax: 4_200,
  errorExcerptLengthMax: 4_096,

  // a master's look at inputs and output (master/look/looker.ts)
  /** A file server that hangs is named instead of waited for. */
  lookMs: 30_000,
  looksMax: 2,
  /** Some hundred bytes for each file that the process lists. */
  lookHeapBytes: 512 * MiB,

  // a master's state
  /**
   * A local run's state is in memory for this long: a run that ends within it never loads LevelDB, and would gain
   * nothing by going on instead of beginning again.
   */
  stateInMemoryMs: 1_000,
  /** Time between two signs that a run whose state no lock protects is there, for processes of other containers. */
  signOfUseMs: 20_000,
  /**
   * Free space below which jobs are refused and commits wait: LevelDB's background work may need more than one commit
   * does.
   */
  stateSpareBytes: 48 * MiB,
  /** A storage that is out of reach is tried for some minutes: after 1 s, 2 s, … 128 s. */
  publishTriesMax: 9,

  // jobs that are over
  /** Ended jobs that are still shown; a master's records of them take some kilobytes each. */
  endedJobsKept: 1_000,
  /**
   * How long what a failed job has is kept for a retry, by the clock of the master that leads, and for how many jobs.
   */
  keepFailedMs: 24 * 60 * 60_000,
  failedJobsKept: 100,

  // Transfers of every kind, over our own HTTP and that of object stores.
  /** Time between two looks at how many bytes have moved. */
  silenceMs: 30_000,
  /**
   * A peer that moves fewer bytes than this in that time counts as silent: a byte now and then must not hold a slot for
   * days.
   */
  silenceBytesMin: 16 * KiB,

  // object stores
  /**
   * Time from the end of a request to the first byte of its answer, and between two looks at what has come. A store
   * that is silent for longer is asked again.
   */
  storeIdleMs: 30_000,
  storeTriesMax: 4,
  /** An answer takes about 20 ms, and a publish waits for all of them. */
  storeRequestsAtOnce: 16,
  /**
   * All silence in one request, or in all requests of one list, together: a user who waits for the result wants it
   * today.
   */
  storeSilentMsMax: 150_000,
  /** The same for the removal of staged files that were left behind: they are hidden, and the next run tries again. */
  storeDiscardSilentMsMax: 20_000,
  /** Publishing goes on for this long after it was asked to stop; a store that answers at all is done by then. */
  publishGraceMs: 5_000,
  /** One answer in XML: a page of 1,000 keys of 1,024 bytes, each byte written as %XX, has about 4 MB. */
  storeXmlBytesMax: 16 * MiB,
  /** Bytes of a manifest, claim or record, which are read whole. */
  storeWholeBytesMax: 256 * MiB,
  storeElementsMax: 200_000,
  storeDepthMax: 16,
  storeTagCharsMax: 4 * KiB,
  /** Objects of one list: about 200 bytes of memory each. */
  storeListedMax: 2_000_000,
  /** Pages in a row without an object: a list that never ends looks like this. */
  storeEmptyPagesMax: 100,

  // shuffle
  /**
   * Workers that one reduce fetches from in parallel: enough to fill a network card, few enough not to overload a
   * server.
   */
  fetchWorkersMax: 4,
  /** Maps in one request (20 bytes each), and the bytes that it aims at: a broken request can lose little anyway. */
  fetchMapsMax: 1024,
  fetchBytesAim: 64 * MiB,
  /** Requests in a row that bring no progress. */
  fetchTriesMax: 5,
  fetchBackOffMsMin: 100,
  fetchBackOffMsMax: 3_000,
  /** Each window must bring at least this many bytes; the slowest usable network brings 16 KiB in 10 s. */
  fetchWindowMs: 10_000,
  fetchWindowBytesMin: 16 * KiB,
  /** A request that takes longer is sent again, and goes on where it was. */
  fetchDeadlineMs: 5 * 60_000,
  /** Progress is a map's whole segment, or this many bytes of one. */
  fetchProgressBytes: 1 * MiB,
  /** How long a server may say that it is busy. */
  fetchBusyMsMax: 2 * 60_000,
  /**
   * Bytes collected before they are written, so that few system calls are needed. There is one buffer per worker
   * fetched from.
   */
  fetchWriteBytes: 256 * KiB,
  /** Lost map outputs that one failure names: some 100 kB. */
  lostMapsMax: 1_000,
  /** Requests that a server answers at the same time; each takes two buffers. */
  servedFetchesMax: 64,
  serveBufferBytes: 256 * KiB,
  /** A client that does not read a buffer's bytes in this time is dropped. */
  serveStallMs: 30_000,
  /** Segments of at most this size are read whole, a few ahead. */
  serveSmallBytes: 64 * KiB,
  serveAhead: 8,
  /** Footers that are held, so that a run's footer is read once and not once per partition. */
  footerCacheBytes: 64 * MiB,

  /** Copies of runs of workers that leave: those that one worker is told to make at a time, and makes at once. */
  copiesPerWorkerMax: 16,
  copiesAtOnce: 2,
  /** Why a copy failed, as it is reported. */
  copyWhyCharsMax: 500,
  /** What a worker that leaves sends of its runs, to all peers together. */
  copyBytesPerSecond: 64 * MiB,

  // messages
  /** Runs whose holders travel in one message: about 2 MB. */
  runsPerMessage: 16_384,
  messageBytesMax: 16 * MiB,
  /** Messages in which commands ask and submit: larger ones are refused before they are read. */
  questionBytesMax: 4 * MiB,
  /**
   * One attempt's result, and all results of one report: the rest of the report still fits into a message beside them.
   */
  resultBytesMax: 12 * MiB,
  bundleBytesMax: 16 * MiB,
  /** Parameters as given, and the value that the job's schema makes of them: both are part of every assignment. */
  paramsBytesMax: 1 * MiB,
  /** Each worker fetches a side file whole; no blob is larger. */
  sideFileBytesMax: 1 * GiB,
  /** A plan is stored in chunks of at most this size. */
  planChunkBytes: 256 * KiB,
  outputChunkBytes: 8 * MiB,
  /** A file of settings that a command reads before it does anything: more than any person writes by hand. */
  settingsBytesMax: 1 * MiB,
  excerptBytes: 200,
  /** A key that a screen or a record names is cut to this: it has to fit into a status page, and into a line. */
  keyExcerptBytes: 64,
  /** Groups that a map attempt names as its largest: the job's largest is among them, or there is no large one. */
  largestGroupsMax: 4,
  logLineBytesMax: 8 * KiB,
} as const;
