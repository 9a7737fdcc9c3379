import { memory } from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

/**
 * Runs `fn` and checks that exactly `kept` tensors more are alive afterwards, also when it throws.
 *
 * @returns What `fn` returned.
 */
export function expectTensorsKept<R>(kept: number, fn: () => R): R {
  const before = memory().numTensors;
  const check = (): void => expect(memory().numTensors - before, 'tensors kept').toBe(kept);
  let result: R;
  try {
    result = fn();
  } catch (error) {
    check();
    throw error;
  }
  if (result instanceof Promise) return result.finally(check) as R;
  check();
  return result;
}
