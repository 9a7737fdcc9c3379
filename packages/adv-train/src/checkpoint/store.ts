/**
 * Where a run keeps its one checkpoint; {@link fileCheckpoint} of `@moe/adv-train/node` keeps it in a file.
 *
 * @remarks
 * `write` must replace the old content whole or not at all, as a run may be killed at any moment.
 */
export interface CheckpointStore {
  /** @returns The latest bytes written, or `undefined` if there are none. */
  read(): Promise<Uint8Array | undefined>;
  write(bytes: Uint8Array): Promise<void>;
}
