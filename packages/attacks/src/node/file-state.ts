import { CheckpointError, isMoeError } from '@moe/core';
import { readFileBounded, writeFileAtomic } from '@moe/core/node';
import type { EvaluationState } from '../evaluate/state.js';

const MAX_BYTES = 2 ** 28;

/**
 * Keeps the state of an evaluation in one file.
 *
 * @remarks
 * Written whole or not at all, so that an interruption at any moment leaves a valid state.
 *
 * @param path - file to use; it and its folder are made when needed.
 * @throws {@link CheckpointError} on reading, if there is something else at `path` or it is larger than 256 MiB.
 *
 * @example
 * await evaluate({ model, data, attacks, seed: 1, state: fileState('runs/evaluation.json') });
 */
export function fileState(path: string): EvaluationState {
  return {
    read: async () => {
      const bytes = await readFileBounded('fileState', path, MAX_BYTES).catch((error: unknown) => {
        throw isMoeError(error) ? new CheckpointError(`${error.message} Remove it, or choose another path.`, { cause: error }) : error;
      });
      return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
    },
    write: (text) => writeFileAtomic(path, text),
  };
}
