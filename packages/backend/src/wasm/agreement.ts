// Test helper; no part of the package.
import '@moe/testing';
import { type Tensor, backend, memory, setBackend, tensor } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { expect } from 'vitest';

/** A tensor of standard normal numbers that depend on the seed only. */
export function normals(shape: readonly number[], seed: number): Tensor {
  const size = shape.reduce((product, side) => product * side, 1);
  return tensor(createRng(seed).normal(size), [...shape]);
}

async function run(engine: string, build: () => Tensor): Promise<{ shape: number[]; dtype: string; values: number[] }> {
  await setBackend(engine);
  const before = memory();
  const storedBefore = backend().numDataIds();
  const result = build();
  const found = { shape: result.shape, dtype: result.dtype, values: Array.from(result.dataSync()) };
  result.dispose();
  const after = memory();
  expect([after.numTensors, after.numBytes], `tensors and bytes kept on ${engine}`).toEqual([before.numTensors, before.numBytes]);
  expect(backend().numDataIds(), `buffers kept on ${engine}`).toBe(storedBefore);
  return found;
}

/**
 * Runs the same computation on the engines `cpu` and `wasm` and compares the results; checks both for leaks.
 *
 * @param build - makes everything from plain numbers inside a `tidy` and returns one tensor.
 */
export async function expectAgreement(build: () => Tensor, { rtol = 1e-4, atol = 1e-5 } = {}): Promise<void> {
  const expected = await run('cpu', build);
  const actual = await run('wasm', build);
  expect({ shape: actual.shape, dtype: actual.dtype }).toEqual({ shape: expected.shape, dtype: expected.dtype });
  expect(actual.values).toBeAllClose(expected.values, { rtol, atol });
}
