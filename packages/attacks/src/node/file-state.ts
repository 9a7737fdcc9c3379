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
 * @throws {@link DataFormatError} on reading, if there is something else at `path` or it is larger than 256 MiB.
 *
 * @example
 * await evaluate({ model, data, attacks, seed: 1, state: fileState('runs/evaluation.json') });
 */
export function fileState(path: string): EvaluationState {
  return {
    read: async () => {
      const bytes = await readFileBounded('fileState', path, MAX_BYTES);
      return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
    },
    write: (text) => writeFileAtomic(path, text),
  };
}
