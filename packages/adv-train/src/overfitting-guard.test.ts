import { type Tensor, type Tensor2D, concat, cos, mul, reshape, scalar, sub, variable, zerosLike } from '@tensorflow/tfjs-core';
import type { Batch } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import type { TrainEvent } from './events.js';
import { standard } from './objectives/standard.js';
import { sgd } from './optimizers/sgd.js';
import { overfittingGuard } from './overfitting-guard.js';
import { plainModel } from './plain-model.js';
import { constant } from './schedules/constant.js';
import { memoryStore } from './testing/store.js';
import { train } from './train.js';

const eps = 0.1;

/** One feature at .4, class 1; the score against class 0 is `.3 + a · cos(2π(x − .4)/ε + .3)`: with a = 1 the same ε away as at the input, and below 0 half way. */
function wavy(amplitude: number) {
  const a = variable(scalar(amplitude));
  const score = (x: Tensor): Tensor2D => reshape(sub(mul(a, cos(mul(sub(x, 0.4 - (0.3 * eps) / (2 * Math.PI)), (2 * Math.PI) / eps))), -0.3), [-1, 1]) as Tensor2D;
  return { a, model: plainModel((x) => concat([zerosLike(score(x)), score(x)], 1) as Tensor2D), weights: [{ name: 'a', variable: a, trainable: true }] };
}

const batch: Batch = { inputs: Float32Array.of(0.4, 0.4, 0.4, 0.4), labels: Int32Array.of(1, 1, 1, 1), ids: Int32Array.of(0, 1, 2, 3), shape: [4, 1, 1, 1] };

const epochEnd = (epoch: number): TrainEvent => ({ type: 'epoch', epochs: 9, etaMs: 0, record: { epoch } as never });

describe('overfittingGuard', () => {
  it('fires where one step of the attack is resisted and several are not', () => {
    const { a, model } = wavy(0);
    const guard = overfittingGuard({ model, batch, eps });
    expectTensorsKept(0, () => guard.onEvent(epochEnd(0)));
    expect(guard.signal.aborted).toBe(false);
    a.assign(scalar(1));
    guard.onEvent(epochEnd(1));
    expect(guard.checks).toEqual([
      { epoch: 1, step: 0, fast: 1, strong: 1 },
      { epoch: 2, step: 0, fast: 1, strong: 0 },
    ]);
    expect(guard.signal.aborted).toBe(true);
    expect(String(guard.signal.reason)).toContain('overfittingGuard: accuracy under fgsm must be at most 0.2 above that under pgd, got 1 and 0 after epoch 2, step 0.');
    a.dispose();
  });

  it('spares a model that resists neither', () => {
    const { a, model } = wavy(-1);
    const guard = overfittingGuard({ model, batch, eps });
    guard.onEvent(epochEnd(0));
    expect(guard.checks).toEqual([{ epoch: 1, step: 0, fast: 0, strong: 0 }]);
    expect(guard.signal.aborted).toBe(false);
    a.dispose();
  });

  it('checks as often as it was told, and after a resume where an uninterrupted run was checked', () => {
    const { a, model } = wavy(0);
    const guard = overfittingGuard({ model, batch, eps, every: 2 });
    const step = (index: number): TrainEvent => ({ type: 'step', epoch: 3, step: index, steps: 4 }) as TrainEvent;
    [0, 1, 2, 3].forEach((index) => guard.onEvent(step(index)));
    guard.onEvent(epochEnd(3));
    const [first, second] = guard.checks;
    expect(guard.checks).toHaveLength(2);
    expect([first, second].map(({ epoch, step: done } = { epoch: -1, step: -1, fast: 0, strong: 0 }) => [epoch, done])).toEqual([[3, 2], [4, 0]]);
    for (const [epoch, done] of [[0, 0], [3, 1], [3, 2], [4, 0]] as const) guard.onEvent({ type: 'resume', epoch, step: done });
    expect(guard.checks.slice(2).map(({ epoch, step: done }) => [epoch, done])).toEqual([[3, 2], [4, 0]]);
    a.dispose();
  });

  it('stops a run, and its resumption before the first step', async () => {
    const { a, model, weights } = wavy(1);
    const checkpoint = memoryStore();
    const steps: number[] = [];
    async function* data() {
      yield batch;
      yield batch;
    }
    const run = (): Promise<unknown> => {
      const guard = overfittingGuard({ model, batch, eps });
      return train({
        model,
        weights,
        data,
        batchesPerEpoch: 2,
        epochs: 5,
        seed: 1,
        checkpoint,
        signal: guard.signal,
        objective: standard(),
        optimizer: sgd(),
        schedule: constant({ base: 1e-6 }),
        onEvent: (event) => {
          if (event.type === 'step') steps.push(event.step);
          guard.onEvent(event);
        },
      });
    };
    for (let call = 0; call < 2; call++) {
      await expect(run()).rejects.toMatchObject({ code: 'ABORTED', cause: { message: expect.stringContaining('got 1 and 0 after epoch 1, step 0') } });
      expect(steps).toEqual([0, 1]);
    }
    a.dispose();
  });

  it('refuses what makes no sense', () => {
    const { a, model } = wavy(0);
    expect(() => overfittingGuard({ model, batch, eps, every: 0 })).toThrow('overfittingGuard: every must be an integer ≥ 1, got 0.');
    expect(() => overfittingGuard({ model, batch, eps, maxGap: 2 })).toThrow('overfittingGuard: maxGap must be a finite number in [0, 1], got 2.');
    expect(() => overfittingGuard({ model: 1, batch, eps } as never)).toThrow('Lift a function with plainModel(fn).');
    a.dispose();
  });
});
