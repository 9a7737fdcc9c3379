import { CheckpointError, expectInteger, expectKnownKeys } from '@moe/core';
import { readFileBounded, writeFileAtomic } from '@moe/core/node';
import type { CheckpointStore } from '../checkpoint/store.js';

/** Options of {@link fileCheckpoint}. */
export interface FileCheckpointOptions {
  /** Largest file read. @defaultValue 2 GiB */
  readonly maxBytes?: number;
}

const GIB = 2 ** 30;
const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * A checkpoint in a file, replaced in one piece, so that a run killed while writing finds the one before.
 *
 * @param path - file to read and write; missing folders are made.
 * @returns A store whose functions throw {@link CheckpointError} where the file cannot be read or written.
 *
 * @example
 * await train({ …, checkpoint: fileCheckpoint('runs/dense/train.safetensors') });
 */
export function fileCheckpoint(path: string, options: FileCheckpointOptions = {}): CheckpointStore {
  expectKnownKeys('fileCheckpoint', options, ['maxBytes']);
  const { maxBytes = 2 * GIB } = options;
  expectInteger('fileCheckpoint', 'maxBytes', maxBytes, 1);
  return {
    read: () =>
      readFileBounded('fileCheckpoint', path, maxBytes).catch((error: unknown) => {
        throw new CheckpointError(`fileCheckpoint: ${path} must be readable, got: ${reason(error)}`, { cause: error });
      }),
    write: (bytes) =>
      writeFileAtomic(path, bytes).catch((error: unknown) => {
        throw new CheckpointError(`fileCheckpoint: ${path} must be writable, got: ${reason(error)}. The checkpoint before it, if any, is whole.`, { cause: error });
      }),
  };
}
