// Learning: does a method raise what adversarial training alone reaches, under attacks that know of the routing?
import '@tensorflow/tfjs-backend-cpu';
import { argMax, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { expertTargeted, pgd } from '@moe/attacks';
import { type Attack, type Batch, type LogitsFn, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import type { SingleObjective } from '../objectives/objective.js';
import { pgdAdversarial } from '../objectives/pgd-adversarial.js';
import { adam } from '../optimizers/adam.js';
import { constant } from '../schedules/constant.js';
import type { TestModel } from '../testing/models.js';
import { toyMoe } from '../testing/toy-moe.js';
import { train } from '../train.js';
import { expertConsistency } from './expert-consistency.js';
import { prc } from './prc.js';
import { rtEr } from './rt-er.js';
import { withTerms } from './with-terms.js';

const [ROUTE, ROWS, EPS] = [16, 64, 0.1];
const D = ROUTE + 2;
const bounds = [-1, 1] as const;

/**
 * Two groups of rows, which the router tells apart by 16 numbers of ±.06, all within reach of an attack of .1. The class is ±.4 in one number for the first group and in another for the second; the
 * other one is noise. An expert that never sees a group has no reason to ignore that noise.
 */
function rowsOf(seed: number): Batch {
  const rng = createRng(seed).stream('rows');
  const [inputs, labels] = [new Float32Array(ROWS * D), new Int32Array(ROWS)];
  for (let i = 0; i < ROWS; i++) {
    const [group, label] = [i % 2, (i >> 1) % 2];
    const row = rng.at(i).uniform(D, -0.02, 0.02);
    for (let k = 0; k < ROUTE; k++) row[k]! += group === 1 ? 0.06 : -0.06;
    row[ROUTE + group]! += label === 1 ? 0.4 : -0.4;
    row[ROUTE + 1 - group]! += rng.at(i).stream('other').uniform(1, -0.15, 0.15)[0]!;
    inputs.set(row, i * D);
    labels[i] = label;
  }
  return { inputs, labels, ids: Int32Array.from(labels.keys()), shape: [ROWS, 1, 1, D] };
}

/** Two linear experts, and a router that already tells the groups apart. */
function modelOf(seed: number): TestModel {
  const rng = createRng(seed);
  const matrix = (name: string, deviation: number): number[][] => Array.from({ length: D }, (_, d) => Array.from(rng.stream(name).at(d).normal(2, 0, deviation)));
  const router = matrix('router', 0.02).map(([first, second], d) => (d < ROUTE ? [first! - 0.5, second! + 0.5] : [first!, second!]));
  return toyMoe({ router, experts: [matrix('e0', 0.05), matrix('e1', 0.05)] });
}

const attack = pgd({ eps: EPS, steps: 3, bounds, goal: 'maxLoss' });
const kl = pgd({ eps: EPS, steps: 3, bounds, loss: 'kl', start: 'normal', goal: 'lastStep' });
const plain = pgdAdversarial({ attack, batchNorm: 'running' });

/** Clean accuracy, and robust accuracy under attacks on the routing, after training. */
async function scoresOf(objective: SingleObjective, seed: number): Promise<{ readonly clean: number; readonly robust: number }> {
  const [batch, target] = [rowsOf(seed), modelOf(seed)];
  const data = async function* batches() {
    yield batch;
  };
  await train({ model: target.model, weights: target.weights, data, batchesPerEpoch: 1, epochs: 40, objective, optimizer: adam(), schedule: constant({ base: 0.03 }), seed });
  const scores = tidy(() => {
    const model: LogitsFn = Object.assign((x: Parameters<LogitsFn>[0]) => tidy(() => target.model.forward(x).logits), { moe: target.model });
    const [x, y] = [tensor(batch.inputs.slice(), [...batch.shape]), tensor1d(batch.labels, 'int32')];
    const predicted = argMax(model(x), 1).dataSync();
    const standing = (by: Attack): number => by.perturb(model, x, y, { rng: createRng(9) }).success.dataSync().filter((success) => success === 0).length / ROWS;
    return { clean: batch.labels.filter((label, row) => label === predicted[row]).length / ROWS, robust: standing(expertTargeted({ eps: EPS, bounds, steps: 20 })) };
  });
  target.dispose();
  return scores;
}

describe('robust accuracy under attacks on routing, three seeds', async () => {
  const seeds = [1, 2, 3];
  const all = async (objective: SingleObjective) => Promise.all(seeds.map((seed) => scoresOf(objective, seed)));
  const mean = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0) / values.length;

  it('is higher with robust second experts, for every seed, than with adversarial training alone', async () => {
    const alone = await all(plain);
    const methods: Record<string, SingleObjective> = {
      'expert consistency': withTerms(plain, [expertConsistency({ attack, weight: 3 })]),
      'RT-ER, fixed': rtEr({ attack, variant: 'fixed', beta: 3 }),
      'PRC, adversarial view': withTerms(plain, [prc({ diagonal: 0.5, offDiagonal: 0.5, attack: kl })]),
    };
    for (const [name, objective] of Object.entries(methods)) {
      const scores = await all(objective);
      scores.forEach(({ clean, robust }, i) => {
        expect(clean, `${name}, seed ${seeds[i]}`).toBeGreaterThan(0.95);
        expect(robust, `${name}, seed ${seeds[i]}`).toBeGreaterThan(alone[i]!.robust);
      });
      expect(mean(scores.map(({ robust }) => robust)) - mean(alone.map(({ robust }) => robust)), name).toBeGreaterThan(0.1);
    }
  });
});
