import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { loadWeights } from './checkpoint/weights.js';
import { emaDecay } from './ema.js';
import { moeMlp } from './testing/models.js';
import { memoryStore } from './testing/store.js';
import { tinyRun } from './testing/tiny-run.js';
import type { TrainOptions } from './train-options.js';

/** Runs six updates; gives the weights after each, those before the first, and the averaged model at the end. */
async function run(seed: number, changes: Partial<TrainOptions>) {
  const [target, averaged] = [moeMlp(seed), moeMlp(5)];
  const trace = [target.values()];
  const { averaged: bytes } = await expectTensorsKept(0, () => tinyRun(target, { onEvent: ({ type }) => void (type === 'step' && trace.push(target.values())), ...changes }));
  if (bytes !== undefined) loadWeights(averaged.weights, bytes);
  const values = averaged.values();
  target.dispose();
  averaged.dispose();
  return { trace, values, bytes };
}

describe('ema', () => {
  it('is the closed form of the weights after each update, with running statistics of the last', async () => {
    const { trace, values } = await run(1, { ema: { decay: 0.6 } });
    // e₆ = .6⁶·w₀ + Σ .4·.6^(6−t)·w_t
    const expected = (name: string): number[] =>
      trace[0]![name]!.map((first, i) => trace.slice(1).reduce((total, weights, t) => total + 0.4 * 0.6 ** (5 - t) * weights[name]![i]!, 0.6 ** 6 * first));
    for (const name of ['in/kernel', 'moe/router', 'moe/expert0', 'out/bias']) expect(values[name]!).toBeAllClose(expected(name));
    expect(values['bn/mean']).toEqual(trace.at(-1)!['bn/mean']);
  });

  it('copies at first, then remembers for longer and longer', () => {
    const options = { decay: 0.4, copyFor: 0.25, ramp: true };
    expect([0, 1, 2, 3, 6, 7].map((update) => emaDecay(options, update, 8))).toEqual([0, 0, 0.1, 2 / 11, 5 / 14, 0.4]);
  });

  it('goes on from every checkpoint with the same bits, and changes none of the run', async () => {
    const checkpoint = memoryStore();
    const changes = { ema: { decay: 0.9, ramp: true }, accumulate: 2, checkpointEvery: 1 };
    const whole = await run(1, { ...changes, checkpoint });
    for (const written of checkpoint.written) expect((await run(99, { ...changes, checkpoint: memoryStore(written) })).bytes).toEqual(whole.bytes);
    const { ema: _, ...without } = changes;
    expect((await run(1, without)).trace).toEqual(whole.trace);
  });

  it('refuses what makes no sense', () => expect(run(1, { ema: { decay: 1 } })).rejects.toThrow('train: ema.decay must lie in [0, 1), got 1.'));
});
