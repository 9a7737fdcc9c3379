import { type Tensor, type Tensor2D, mul, tensor1d, tensor4d, tidy, version_core } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { ENGINE, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { sequence } from '../combinators/sequence.js';
import { pgd } from '../pgd.js';
import { square } from '../square.js';
import { memoryState, net, task } from '../testing/evaluations.js';
import { evaluate } from './evaluate.js';
import type { EvaluationEvent } from './evaluation.js';

const COUNT = 23;

describe('evaluate', () => {
  it('judges a sequence as one attack, in the ball of its parts', async () => {
    const { attacks } = await evaluate({ ...task(), attacks: [sequence('both', [pgd({ eps: 0.1, steps: 3 }), square({ eps: 0.1, queries: 10 })])] });
    expect(attacks.map(({ name }) => name)).toEqual(['both']);
    expect(attacks[0]!.meanPerturbation).toBeGreaterThan(0);
  });

  it('counts right and robust examples, with flags that agree', async () => {
    const result = await evaluate(task());
    expect(result.clean).toMatchObject({ correct: 20, accuracy: 20 / 23 });
    expect(result.flags.clean).toBe(`000${'1'.repeat(20)}`);
    const [first, second] = result.attacks;
    expect(first!.robust).toBeWithin(1, 19);
    expect(result.flags.robust['pgd']!.split('1').length - 1).toBe(first!.robust);
    expect(result.worstCase.robust).toBeLessThanOrEqual(Math.min(first!.robust, second!.robust));
    expect(first!.meanPerturbation).toBeWithin(0.02, 0.1 + 1e-6);
    expect(result).toMatchObject({ trust: 'ok', findings: [], examples: 23, seed: 3, shard: null, engine: ENGINE, versions: { '@tensorflow/tfjs-core': version_core } });
    expect(result.perturbations['pgd']).toHaveLength(20);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it('judges the very inputs that perturb gives for the same seed and ids', async () => {
    const options = task();
    const { flags } = await evaluate(options);
    const batch = await options.data.read(Array.from({ length: COUNT }, (_, i) => i));
    tidy(() => {
      const inputs = tensor4d(batch.inputs, [COUNT, 2, 2, 1]);
      const labels = tensor1d(batch.labels, 'int32');
      const { success } = options.attacks[0]!.perturb(net, inputs, labels, { rng: createRng(3), exampleIds: batch.ids });
      expect(Array.from(success.dataSync(), (value) => 1 - value).join('')).toBe(flags.robust['pgd']);
    });
  });

  it('gives the same result for every batch size', async () => {
    const results = await Promise.all([1, 7, 64].map((batchSize) => evaluate({ ...task(), batchSize })));
    const comparable = results.map(({ flags, attacks, clean }) => ({ flags, attacks, clean }));
    expect(comparable[1]).toEqual(comparable[0]);
    expect(comparable[2]).toEqual(comparable[0]);
  });

  it.each([1, 3, 6])('goes on after an interruption in batch %i and gives the identical result', async (batches) => {
    const whole = await evaluate(task());
    const state = memoryState();
    const stop = new AbortController();
    const onEvent = ({ done }: EvaluationEvent) => done >= 4 * (batches - 1) && stop.abort();
    await expect(expectTensorsKept(0, () => evaluate({ ...task(), state, signal: stop.signal, onEvent }))).rejects.toMatchObject({ code: 'ABORTED' });
    const seen: number[] = [];
    const resumed = await evaluate({ ...task(), state, onEvent: ({ done }) => void seen.push(done) });
    expect(seen[0]).toBe(4 * (batches - 1));
    expect(JSON.stringify(resumed)).toBe(JSON.stringify(whole));
    const again = await evaluate({ ...task(), model: () => expect.fail('nothing is left to run'), state });
    expect(again).toEqual(whole);
  });

  it('refuses a state of another evaluation and says what differs', async () => {
    const state = memoryState();
    await evaluate({ ...task(), state, modelId: 'v1' });
    await expect(evaluate({ ...task(), state, modelId: 'v2' })).rejects.toThrow(/modelId was "v1", now "v2"/);
    await expect(evaluate({ ...task(), state, modelId: 'v1', seed: 4 })).rejects.toThrow(/seed was 3, now 4/);
    await expect(evaluate({ ...task(), state, modelId: 'v1', attacks: [pgd({ eps: 0.2 })] })).rejects.toMatchObject({ code: 'CHECKPOINT' });
    await expect(evaluate({ ...task(), state, modelId: 'v1', shard: '1/2' })).rejects.toThrow(/shard was null, now "1\/2"/);
    await expect(evaluate({ ...task(), state, modelId: 'v1', limit: 5 })).rejects.toThrow(/examples was "first 23", now "first 5"/);
  });

  it('refuses a damaged state', async () => {
    const state = memoryState();
    await evaluate({ ...task(), state });
    const good = state.text!;
    const damages = [good.slice(0, -9), '', '[]', '{"schema":"other"}', good.replace('"clean":"0', '"clean":"2'), good.replace('"clean":"0', '"clean":"00'), good.replace('"mismatches":[]', '"mismatches":[-1]'), good.replace('"changedWeights":[]', '"changedWeights":0')];
    for (const text of damages) {
      state.text = text;
      await expect(evaluate({ ...task(), state })).rejects.toThrow(/state is damaged.*Delete it/);
    }
  });

  it('tells how far it is', async () => {
    const events: EvaluationEvent[] = [];
    await evaluate({ ...task(), onEvent: (event) => void events.push(event) });
    const fractions = events.map(({ fraction }) => fraction);
    expect(fractions.every((fraction, i) => i === 0 || fraction >= fractions[i - 1]!)).toBe(true);
    expect(events.at(-1)).toMatchObject({ phase: 'done', done: 23, total: 23, fraction: 1, etaMs: 0 });
    expect(new Set(events.map(({ attack }) => attack))).toEqual(new Set([undefined, 'pgd', 'apgd']));
    expect(events.slice(0, -1).every(({ etaMs }) => etaMs !== undefined && etaMs >= 0)).toBe(true);
  });

  it('takes the examples that indices names', async () => {
    const { flags } = await evaluate({ ...task(), indices: [22, 0, 5] });
    expect(flags.ids).toEqual([22, 0, 5]);
    expect(flags.clean).toBe('101');
  });

  it.each([
    [{ limit: 3, indices: [1] }, /limit and indices/],
    [{ limit: 0 }, /limit must be an integer ≥ 1/],
    [{ indices: [23] }, /indices\[0\] must be an integer in \[0, 22\]/],
    [{ batchSize: 0 }, /batchSize/],
    [{ shard: '0/2' }, /shard must be 'i\/n' with 1 ≤ i ≤ n, got '0\/2'/],
    [{ shard: '3/2' }, /shard must be 'i\/n'/],
    [{ shard: '1-2' }, /shard must be 'i\/n'/],
    [{ shard: '1/3', limit: 2 }, /have n ≤ 2, the number of examples/],
    [{ seed: -1 }, /seed/],
    [{ attacks: [pgd({ eps: 0.1 }), pgd({ eps: 0.2 })] }, /unique, got 'pgd'. Give the attack a label/],
    [{ attacks: [pgd({ eps: 8, bounds: [0, 255] })] }, /bounds of the data, \[0, 1\]/],
    [{ batchsize: 3 }, /Did you mean 'batchSize'/],
  ] as [object, RegExp][])('refuses %j', async (change, message) => {
    await expect(evaluate({ ...task(), ...change })).rejects.toThrow(message);
  });

  it('stops when an attack leaves its ball or the bounds', async () => {
    const far: Attack = { ...pgd({ eps: 0.1 }), perturb: (...args) => pgd({ eps: 0.3, goal: 'maxLoss' }).perturb(...args) };
    await expect(expectTensorsKept(0, () => evaluate({ ...task(), attacks: [far] }))).rejects.toThrow(/must stay within eps = 0.1/);
    const outside: Attack = { ...pgd({ eps: 0.1 }), perturb: (...args) => ({ ...pgd({ eps: 0.1 }).perturb(...args), adversarial: mul(args[1], 3) as Tensor }) };
    await expect(expectTensorsKept(0, () => evaluate({ ...task(), attacks: [outside] }))).rejects.toThrow(/lie in bounds \[0, 1\]/);
  });

  it('stops at logits that are not finite', async () => {
    const broken: LogitsFn = (x) => mul(net(x), Number.NaN) as Tensor2D;
    await expect(expectTensorsKept(0, () => evaluate({ ...task(), model: broken }))).rejects.toMatchObject({ code: 'NUMERICS' });
  });
});
