// Bounds that more than one file needs, each stated once: the unit is in its name, the reason above it where it is not plain. A bound
// that only one file needs stands at the top of that file; sizes of a binary layout stand with that layout (test/docs/bounds.test.ts).

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
  /** A manifest has some 150 bytes per file: a million files. It is held in memory whole. */
  manifestBytesMax: 256 * MiB,
  /** Files whose state is asked for at once: an object store answers in some 20 ms, and a decision waits for all of them. */
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
  /** Of csv and tsv: a million columns of 16 bytes. Every split of a file reads it again. */
  headerBytesMax: 16 * MiB,
  reducerBytes: 64 * MiB,
  reducersDefaultMax: 64,
  asyncConcurrency: 16,
  /** Decompressed bytes per compressed byte above which a file counts as a bomb (gzip reaches 1032). */
  inflateRatioMax: 1100,
  /** The ratio is checked from here on: a small file may well be one letter repeated. */
  bombBytesMin: 64 * MiB,
  /** Content of one zstd frame, which the decoder needs whole; more than a member of ours (8 MiB and one record) can have. */
  zstdFrameBytesMax: 128 * MiB,

  // kernel and runs
  arenaBytesMin: 1 * MiB,
  arenaBytesMax: 1 * GiB,
  batchBytes: 64 * KiB,
  /** Of pairs whose values are numbers that are folded: in larger batches the table stays in the processor's caches for longer. */
  foldedBatchBytes: 1 * MiB,
  /** A pair larger than this goes past the batch. */
  batchPairBytesMax: 16 * KiB,
  blockBytes: 64 * KiB,
  mergeFanInMax: 64,
  /** A run is written in pieces of this: few system calls, and little to hold back. */
  runWriteBytes: 256 * KiB,
  /** Read at once where segments are smaller; one such buffer per run of a merge of many partitions. */
  runReadAheadBytes: 64 * KiB,
  /** Blocks (a value may have 64 MiB) that no arena holds are merged on the heap, so many at once (two at least). */
  heapMergeBytes: 64 * MiB,
  /** Left free in the file system of the memory tier, for status pages and for others. */
  memoryTierSpareBytes: 8 * MiB,

  // memory
  /** Processes of one machine. */
  slotsMax: 1024,
  slotMemoryBytesMin: 64 * MiB,
  /** Of a machine's memory, when `--memory` is not given. */
  memoryShare: 1 / 4,

  // attempts
  attemptsMax: 4,
  /** What a user may ask for. */
  attemptsGivenMax: 100,
  /** Infrastructure failures do not count against `attempts`, but end somewhere. */
  infrastructureFailuresMax: 16,
  digestRollbacksMax: 3,
  taskTimeoutMs: 10 * 60_000,
  /** A job's module that takes longer to load, or to be read and bundled, is stuck: an import takes seconds at most. */
  loadMs: 60_000,
  /** Who waits for a module that loads longer than this is told so. */
  loadSilentMs: 1_000,
  /** A process that calls the job's code itself and does not answer an interrupt for so long is in that code, and is killed. */
  interruptHeardMs: 1_000,
  /** One that has answered ends its slots and removes its files in this time, or that code has got hold of it again. */
  interruptedMs: 10_000,
  /** A process that the terminal was asked to stop (Ctrl-Z) and that still runs after so long was not stopped: no shell would continue it. */
  stoppedMs: 100,
  heartbeatMs: 3_000,
  leaseMs: 10_000,
  backupSlowdown: 3,
  failuresPerWorkerMax: 5,
  /** Latest winners of a phase whose median rate says what is slow. */
  ratesKept: 63,
  /** A task is short when its phase's last one took no longer; and whoever waits longer for a slot may go where there is one. */
  aheadMsMax: 1_000,
  /** Failures of a job that its records hold, in a ring. */
  failuresKept: 20,
  /** Things of one kind that one message names; of the rest it says how many there are. */
  namedMax: 5,
  /** A slot that is asked what calls still do, and says nothing for so long beyond its own wait, is killed. */
  settleSilenceMs: 2_000,
  /** The last result of a job waits so long for that answer: then both are one report and one commit. */
  settleTogetherMs: 100,
  /** Of some kilobytes each; those behind them come with the next report. */
  lateCallsPerReport: 256,
  /** A slot waits so long for what user code left going before it reports an attempt, or answers `settle`. */
  settleMs: 2_000,
  /** Between two looks at what user code left going. */
  settleTurnMs: 5,
  /** Where something was left open for all that time before, it is not waited for again, but for so long before the job's end. */
  settleGraceMs: 100,

  // what a report may say (protocol/check-report.ts)
  /** Workers that one master knows (`--max-workers`): some kilobytes each. */
  workersMax: 10_000,
  /** As `--slots` of a worker. */
  slotsPerWorkerMax: 1_024,
  /** Attempts, running or ended, in one report; a worker takes as many ahead as it has slots, and some are being stopped. */
  attemptsPerReportMax: 8_192,
  /** Jobs that one report names; each costs the master an order to remove it. */
  jobsPerReportMax: 4_096,
  /** Files and splits of one plan: some hundred bytes of the master's memory each. */
  plannedFilesMax: 1_000_000,
  splitsMax: 1_000_000,
  /** Hosts of one planned file. */
  hostsMax: 64,
  /** As PATH_MAX of file systems; keys of object stores are shorter. */
  pathBytesMax: 4_096,
  /** An error is shown, stored and kept in memory up to twenty times per job. What is longer is cut. */
  errorMessageLengthMax: 8_192,
  errorStackLengthMax: 8_192,
  errorPlaceLengthMax: 4_200,
  errorExcerptLengthMax: 4_096,

  // a master's look at inputs and output (master/look/looker.ts)
  /** A file server that hangs is named instead of waited for. */
  lookMs: 30_000,
  looksMax: 2,
  /** Some hundred bytes per file that it lists. */
  lookHeapBytes: 512 * MiB,

  // a master's state
  /** Free space below which jobs are refused and commits wait: what LevelDB's background work may need is more than one commit. */
  stateSpareBytes: 48 * MiB,
  /** A storage that is out of reach is tried for some minutes: 1 s, 2 s, … 128 s apart. */
  publishTriesMax: 9,

  // jobs that are over
  /** Shown so long after their end; a master's records of them are some kilobytes each. */
  endedJobsKept: 1_000,
  /** What a failed job has is kept so long for a retry, by the clock of the master that leads, and of so many jobs. */
  keepFailedMs: 24 * 60 * 60_000,
  failedJobsKept: 100,

  // transfers of every kind, by HTTP of ours and of object stores
  /** Between two looks at what has moved. */
  silenceMs: 30_000,
  /** Who moves less than this in that time counts as silent: a byte now and then must not hold a slot for days. */
  silenceBytesMin: 16 * KiB,

  // object stores
  /** From the end of a request to the first byte of its answer, and between two looks at what has come: a store that is silent for longer is asked again. */
  storeIdleMs: 30_000,
  storeTriesMax: 4,
  /** An answer takes some 20 ms, and a publish waits for all of them. */
  storeRequestsAtOnce: 16,
  /** Of all silence in one request, or in all requests of one list: who waits for it wants to know today. */
  storeSilentMsMax: 150_000,
  /** The same where what staged files are left is removed: they are hidden, and the next run does it again. */
  storeDiscardSilentMsMax: 20_000,
  /** Publishing goes on for so long after it was asked to stop: what answers is done by then. */
  publishGraceMs: 5_000,
  /** Of an answer in XML: a page of 1,000 keys of 1,024 bytes, each written as %XX, has 4 MB. */
  storeXmlBytesMax: 16 * MiB,
  storeElementsMax: 200_000,
  storeDepthMax: 16,
  storeTagCharsMax: 4 * KiB,
  /** Objects of one list: some 200 bytes of memory each. */
  storeListedMax: 2_000_000,
  /** Pages without an object, one after the other: a list that never ends looks like this. */
  storeEmptyPagesMax: 100,

  // shuffle
  /** Workers that one reduce fetches from at once: enough to fill a network card, few enough not to trample a server. */
  fetchWorkersMax: 4,
  /** Maps in one request (20 bytes each), and how many bytes it aims at: what a broken request can lose is small anyway. */
  fetchMapsMax: 1024,
  fetchBytesAim: 64 * MiB,
  /** Requests in a row without progress. */
  fetchTriesMax: 5,
  fetchBackOffMsMin: 100,
  fetchBackOffMsMax: 3_000,
  /** In each window so many bytes must come; 16 KiB in 10 s is what the slowest usable network brings. */
  fetchWindowMs: 10_000,
  fetchWindowBytesMin: 16 * KiB,
  /** A request that takes longer is begun anew where it was. */
  fetchDeadlineMs: 5 * 60_000,
  /** Progress is a map's whole segment, or so many bytes of one. */
  fetchProgressBytes: 1 * MiB,
  /** How long a server may say that it is busy. */
  fetchBusyMsMax: 2 * 60_000,
  /** Collected before they are written: few system calls. One buffer per worker that is fetched from. */
  fetchWriteBytes: 256 * KiB,
  /** Lost map outputs that one failure names: some 100 kB. */
  lostMapsMax: 1_000,
  /** Requests served at once; two buffers each. */
  servedFetchesMax: 64,
  serveBufferBytes: 256 * KiB,
  /** Who does not read a buffer's bytes in this time is dropped. */
  serveStallMs: 30_000,
  /** Segments up to this are read whole, a few ahead. */
  serveSmallBytes: 64 * KiB,
  serveAhead: 8,
  /** Footers held so that a run's is read once, not once per partition. */
  footerCacheBytes: 64 * MiB,

  // messages
  /** Runs whose places travel in one message: some 2 MB. */
  placesPerMessage: 16_384,
  messageBytesMax: 16 * MiB,
  /** Of what commands ask and submit: larger ones are refused before they are read. */
  questionBytesMax: 4 * MiB,
  /** Of one attempt's result, and of those that one report brings: what else it says fits beside them into a message. */
  resultBytesMax: 12 * MiB,
  bundleBytesMax: 16 * MiB,
  /** As given, and the value that the job's schema makes of them: both are part of every assignment. */
  paramsBytesMax: 1 * MiB,
  /** Fetched whole by each worker; no blob is larger. */
  sideFileBytesMax: 1 * GiB,
  /** A plan is stored in chunks of at most this. */
  planChunkBytes: 256 * KiB,
  outputChunkBytes: 8 * MiB,
  excerptBytes: 200,
  logLineBytesMax: 8 * KiB,
} as const;
