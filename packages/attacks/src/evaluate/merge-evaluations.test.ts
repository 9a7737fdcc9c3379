import { ENGINE } from '@moe/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apgd } from '../apgd.js';
import { fabTargeted } from '../fab/fab-targeted.js';
import { fgsm } from '../fgsm.js';
import { pgd } from '../pgd.js';
import { square } from '../square.js';
import { memoryState, task } from '../testing/evaluations.js';
import { type EvaluateOptions, evaluate } from './evaluate.js';
import type { Evaluation } from './evaluation.js';
import { mergeEvaluations } from './merge-evaluations.js';

const eps = 0.1;
const ATTACKS = [fgsm({ eps, start: 'uniform' }), pgd({ eps, steps: 3, restarts: 2 }), apgd({ eps, steps: 6, norm: 'L2' }), fabTargeted({ eps, steps: 3 }), square({ eps, queries: 12 })];
const jobOf = (count: number): EvaluateOptions => ({ ...task(count), attacks: ATTACKS });

/** Runs one shard with an interruption after some events, goes on from its state, and counts the tries. */
async function interrupted(options: EvaluateOptions, after: number): Promise<Evaluation> {
  const state = memoryState();
  const stop = new AbortController();
  let events = 0;
  try {
    return await evaluate({ ...options, state, signal: stop.signal, onEvent: () => void (++events === after && stop.abort()) });
  } catch {
    return await evaluate({ ...options, state });
  }
}

/** Verdicts and lengths of each example by its id, whatever the order of evaluation. */
function byId({ flags, perturbations }: Evaluation): Map<number, unknown> {
  const places = new Map(flags.ids.map((id, i) => [id, i]));
  const right = flags.ids.filter((_, i) => flags.clean[i] === '1');
  return new Map(
    [...places].map(([id, i]) => {
      const lengths = Object.values(perturbations).map((list) => list[right.indexOf(id)]);
      return [id, { clean: flags.clean[i], robust: Object.values(flags.robust).map((list) => list[i]), lengths }];
    }),
  );
}

describe('mergeEvaluations', () => {
  // The arithmetic of tensorflow for a row depends on its batch.
  it.skipIf(ENGINE === 'tensorflow')('equals the run without shards in every digit, for any batch size, shards and interruptions', async () => {
    const job = jobOf(12);
    const whole = JSON.stringify(await evaluate(job));
    const arbitrary = fc.record({ batchSize: fc.integer({ min: 1, max: 13 }), shards: fc.integer({ min: 1, max: 12 }), after: fc.integer({ min: 1, max: 60 }) });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ batchSize, shards, after }) => {
        const parts: Evaluation[] = [];
        for (let i = shards; i >= 1; i--) parts.push(await interrupted({ ...job, batchSize, shard: `${i}/${shards}` }, after));
        expect(JSON.stringify(mergeEvaluations(parts))).toBe(whole);
      }),
      { numRuns: 12, seed: 4 },
    );
  });

  it.skipIf(ENGINE === 'tensorflow')('gives each example the same verdict and perturbation in any order', async () => {
    const job = jobOf(12);
    const whole = byId(await evaluate(job));
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...whole.keys()], { minLength: 1 }), fc.integer({ min: 1, max: 12 }), async (indices, batchSize) => {
        const part = byId(await evaluate({ ...job, indices, batchSize }));
        for (const id of indices) expect(part.get(id)).toEqual(whole.get(id));
      }),
      { numRuns: 10, seed: 5 },
    );
  });

  it.runIf(ENGINE === 'tensorflow')('differs in at most one verdict of 500 from the run without shards where arithmetic depends on the batch', async () => {
    const job = jobOf(250);
    const flagsOf = ({ flags }: Evaluation) => flags.clean + Object.values(flags.robust).join('');
    const whole = flagsOf(await evaluate({ ...job, batchSize: 64 }));
    const parts = await Promise.all(['1/3', '2/3', '3/3'].map((shard) => evaluate({ ...job, shard, batchSize: 7 })));
    const sharded = flagsOf(mergeEvaluations(parts));
    expect(sharded).toHaveLength(whole.length);
    const differing = Array.from(whole).filter((flag, i) => flag !== sharded[i]).length;
    expect(differing / whole.length).toBeLessThanOrEqual(1 / 500);
  });

  it('judges findings on the whole', async () => {
    const far = { ...task(), attacks: [pgd({ eps, steps: 5 }), { ...apgd({ eps }), perturb: apgd({ eps: 0, steps: 1 }).perturb }] };
    const parts = await Promise.all(['1/2', '2/2'].map((shard) => evaluate({ ...far, shard })));
    const { findings } = mergeEvaluations(parts);
    expect(findings.map(({ id }) => id)).toEqual(['stronger-attack-weaker']);
    expect(findings[0]!.examples.length).toBeGreaterThan(parts[0]!.findings[0]!.examples.length);
  });

  it('refuses what is not all of one evaluation', async () => {
    const options = { ...task(6), attacks: [pgd({ eps, steps: 1 })] };
    const [first, second, other, longer] = await Promise.all([
      evaluate({ ...options, shard: '1/2' }),
      evaluate({ ...options, shard: '2/2' }),
      evaluate({ ...options, shard: '2/2', seed: 9, modelId: 'b' }),
      evaluate({ ...options, shard: '2/2', indices: [0, 1, 2, 3, 4, 5, 0, 1, 2] }),
    ]);
    expect(() => mergeEvaluations([])).toThrow(/shards must be at least one/);
    expect(() => mergeEvaluations([second])).toThrow('mergeEvaluations: shards must be 1/1, got \'2/2\'.');
    expect(() => mergeEvaluations([first, first])).toThrow("shards must be 1/2, 2/2, got '1/2, 1/2'");
    expect(() => mergeEvaluations([first, other])).toThrow('shard 2/2 must be of the same evaluation as 1/2, got \'other modelId, seed\'');
    expect(() => mergeEvaluations([first, longer])).toThrow(/must be of the same examples, got '3, 5 of them'/);
    expect(mergeEvaluations([second, first]).flags.ids).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
