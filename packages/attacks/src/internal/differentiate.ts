import { engine } from '@tensorflow/tfjs-core';
import { BackendError, isMoeError } from '@moe/core';

/**
 * Runs a function that differentiates a model; if it throws, frees what tfjs saved for the backward pass and says what the model lacks.
 *
 * @remarks
 * tfjs disposes those tensors only at the end of a successful gradient; they are marked as kept, so `tidy` does not free them either.
 *
 * @throws {@link BackendError} if tfjs cannot differentiate an op of the model; every other error as it is.
 */
export function differentiate<T>(caller: string, gradient: () => T): T {
  try {
    return gradient();
  } catch (error) {
    const { state } = engine();
    // Inside somebody else's gradient the tape is theirs.
    if (state.gradientDepth === 0) {
      for (const { saved } of state.activeTape ?? []) saved?.forEach((tensor) => tensor.dispose());
      state.activeTape = [];
    }
    const message = error instanceof Error ? error.message : '';
    if (isMoeError(error) || !/compute gradient|gradient function|Kernel '.*' not registered/i.test(message)) throw error;
    throw new BackendError(`${caller}: model must be differentiable in its inputs on this engine, got "${message}". Replace that op, or start the engine with useBackend of @moe/backend.`, { cause: error });
  }
}
