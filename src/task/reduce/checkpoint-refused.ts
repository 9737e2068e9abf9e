/** A checkpoint can't be gone on from, although it is whole: the task begins at its beginning. */
export class CheckpointRefused extends Error {
  override readonly name = "CheckpointRefused";
}
