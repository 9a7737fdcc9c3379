import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { add, matMul, memory, mul, reshape, tensor1d, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { fab } from './fab/fab.js';
import { fabTargeted } from './fab/fab-targeted.js';
import { type AttackNorm } from './geometry/geometry.js';
import { square } from './square.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const [ROWS, SIDE] = [4, 24];
const IMAGE = SIDE * SIDE * 3;

/** Bytes of the host and tensors of the engine in use when the model is asked for the given times. */
function heldAt(attack: Attack, passes: readonly number[]): { bytes: number; tensors: number }[] {
  const held: { bytes: number; tensors: number }[] = [];
  const weights = createRng(1).normal(IMAGE * 3);
  let pass = 0;
  tidy(() => {
    const w = reshape(tensor1d(weights), [IMAGE, 3]);
    // Never fooled, never flat.
    const model: LogitsFn = (x) => {
      if (passes.includes(pass++)) {
        // Twice: the buffers of arrays that one finds unused are freed by the next.
        collect();
        collect();
        const { heapUsed, arrayBuffers } = process.memoryUsage();
        held.push({ bytes: heapUsed + arrayBuffers, tensors: memory().numTensors });
      }
      return add(mul(matMul(reshape(x, [-1, IMAGE]), w), 1e-6), [1, 0, -1]);
    };
    attack.perturb(model, tensor4d(createRng(2).uniform(ROWS * IMAGE), [ROWS, SIDE, SIDE, 3]), tensor1d([0, 0, 0, 0], 'int32'), { rng: createRng(3) });
  });
  return held;
}

describe.each(['Linf', 'L2', 'L1'] satisfies AttackNorm[])('in %s', (norm) => {
  it.each([
    ['square', square({ eps: 0.1, norm, queries: 200 })],
    ['fab', fab({ eps: 0.001, norm, steps: 70 })],
    ['fabTargeted', fabTargeted({ eps: 0.001, norm, steps: 105, targets: 1 })],
  ])('%s holds as much after 190 passes as after 40', (_, attack) => {
    const [early, late] = heldAt(attack, [40, 190]);
    expect(late!.tensors).toBe(early!.tensors);
    // One batch a pass would be 4 MB.
    expect(late!.bytes - early!.bytes).toBeLessThan(1e6);
  });
});
