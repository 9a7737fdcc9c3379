import { engine } from '@tensorflow/tfjs-core';

/**
 * Runs a function that differentiates; if it throws, frees what tfjs saved for the backward pass.
 *
 * @remarks
 * tfjs disposes those tensors only at the end of a successful gradient; they are marked as kept, so `tidy` does not free them either.
 */
export function freeingTape<T>(fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    const { state } = engine();
    // Inside somebody else's gradient the tape is theirs.
    if (state.gradientDepth === 0) {
      for (const { saved } of state.activeTape ?? []) saved?.forEach((tensor) => tensor.dispose());
      state.activeTape = [];
    }
    throw error;
  }
}
