import { type LogitsFn, createRng } from '@moe/core';
import { ENGINE, expectTensorsKept } from '@moe/testing';
import { type Tensor2D, add, mul, reshape, sum, tensor2d } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { pgd } from '../pgd.js';
import { tinyDataset } from '../testing/datasets.js';
import { memoryState } from '../testing/evaluations.js';
import { constantExpert, toyMoe } from '../testing/moe-models.js';
import { type EvaluateOptions, evaluate } from './evaluate.js';
import { mergeEvaluations } from './merge-evaluations.js';

/** Wrong with a probability that each row has by its first pixel, in every draw anew. */
const coin: LogitsFn = (x, draw) => {
  const rows = x.shape[0]!;
  const pixels = x.dataSync();
  const lead = Array.from({ length: rows }, (_, i) => (draw!.rng.at(draw!.exampleIds[i]!).uniform(1)[0]! < pixels[(i * pixels.length) / rows]! ? 1 : -1));
  return add(mul(tensor2d(lead, [rows, 1]), [[0, 1, 0]]), mul(sum(reshape(x, [rows, -1]), 1, true), 0)) as Tensor2D;
};
/** Images of four pixels of one brightness, all of the first class. */
const images = (brightness: readonly number[]) => tinyDataset(brightness.map(() => 0), Float32Array.from(brightness.flatMap((value) => [value, value, value, value])));
const still = pgd({ eps: 0, steps: 1 });
const job = (brightness: readonly number[], draws: number): EvaluateOptions => ({ model: coin, data: images(brightness), attacks: [still], seed: 1, draws, batchSize: 7 });

describe('evaluate with several draws', () => {
  it('goes by the majority, records the share of every example, and what was right in every draw', async () => {
    const count = 400;
    const result = await expectTensorsKept(0, () => evaluate(job(new Array<number>(count).fill(0.3), 5)));
    // Of 5 draws more than half are wrong with 0.3⁵ + 5 · 0.3⁴ · 0.7 + 10 · 0.3³ · 0.7² = 0.163; all are right with 0.7⁵ = 0.168. Three deviations of 400 are 0.056.
    expect(result.clean.accuracy).toBeWithin(0.837 - 0.056, 0.837 + 0.056);
    expect(result.rights.clean).toHaveLength(count);
    expect(result.rights.clean.reduce((a, b) => a + b, 0) / (5 * count)).toBeWithin(0.7 - 0.031, 0.7 + 0.031);
    expect(result.flags.clean).toBe(result.rights.clean.map((right) => (right >= 3 ? '1' : '0')).join(''));
    const robust = result.rights.robust['pgd']!;
    expect(result.flags.robust['pgd']).toBe(robust.map((right) => (right >= 3 ? '1' : '0')).join(''));
    expect(result.everyDraw.robust).toBe(robust.filter((right, i) => right === 5 && result.rights.clean[i] === 5).length);
    expect(result.everyDraw.robust).toBeLessThan(result.worstCase.robust);
    expect(result.draws).toBe(5);
  });

  it('gives the same for the same draws: a model that takes its noise from them is no reason for doubt, one that draws elsewhere is', async () => {
    const ids = async (options: EvaluateOptions): Promise<string[]> => (await evaluate(options)).findings.map(({ id }) => id);
    const noisy: LogitsFn = (x, draw) => add(mul(sum(reshape(x, [x.shape[0]!, -1]), 1, true), [[0, 0.1, 0]]), [[1, draw!.rng.normal(1, 0, 0.2)[0]!, 0]]) as Tensor2D;
    const data = images([0.1, 0.2, 0.3, 0.4, 0.5]);
    expect(await ids({ ...job([], 9), model: noisy, data })).toEqual([]);
    expect(await ids({ ...job([], 1), model: noisy, data })).toContain('non-deterministic');
    let calls = 0;
    const elsewhere: LogitsFn = (x) => add(noisy(x, { rng: createRng(++calls), exampleIds: [] }), 0) as Tensor2D;
    expect(await ids({ ...job([], 9), model: elsewhere, data })).toContain('non-deterministic');
  });

  // TensorFlow's arithmetic depends on the batch.
  it.skipIf(ENGINE === 'tensorflow')('is the same for any batch size, from shards, and after an interruption, and refuses a state of another number', async () => {
    const options = job([0.1, 0.3, 0.5, 0.7, 0.9, 0.2, 0.4, 0.45, 0.55], 4);
    const whole = await evaluate(options);
    expect(await evaluate({ ...options, batchSize: 2 })).toEqual(whole);
    expect(mergeEvaluations([await evaluate({ ...options, shard: '2/2' }), await evaluate({ ...options, shard: '1/2' })])).toEqual(whole);
    const state = memoryState();
    await evaluate({ ...options, state });
    expect(await evaluate({ ...options, state, model: () => expect.fail('nothing is left to run') })).toEqual(whole);
    await expect(evaluate({ ...options, state, draws: 3 })).rejects.toThrow(/draws was 4, now 3/);
    state.text = state.text!.replace('"rights":{"clean":[', '"rights":{"clean":[9,');
    await expect(evaluate({ ...options, state })).rejects.toThrow(/state is damaged/);
  });

  it('keeps no counts for one draw, and refuses none', async () => {
    const { rights, everyDraw, worstCase } = await evaluate(job([0, 0, 1], 1));
    expect(rights).toEqual({ clean: [], robust: { pgd: [] } });
    expect(everyDraw).toEqual(worstCase);
    await expect(evaluate(job([0], 0))).rejects.toThrow(/draws must be an integer ≥ 1/);
  });

  it('judges gates that are noisy in evaluation by the majority of their draws', async () => {
    // r = (x₀ - 1/2, 0) and noise of deviation 0.1 on each score: expert 0 is right, expert 1 wrong; at 0.8 nearly all draws go to the first, at 0.2 to the second.
    const model = toyMoe({ router: [[1, 0], [0, 0], [0, 0], [0, 0]], bias: [-0.5, 0], experts: [constantExpert([1, 0, 0]), constantExpert([0, 1, 0])], noise: 0.1 });
    const { rights, clean } = await evaluate({ ...job([], 20), model, data: images([0.8, 0.2, 0.5, 0.65]) });
    expect(clean.correct).toBeWithin(2, 3);
    expect(rights.clean[0]!).toBeWithin(18, 20);
    expect(rights.clean[1]!).toBeWithin(0, 2);
    // Of 20 draws half go either way, give or take three deviations of 2.2.
    expect(rights.clean[2]!).toBeWithin(4, 16);
  });
});
