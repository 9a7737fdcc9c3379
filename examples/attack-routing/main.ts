// Trains a model that routes every image to one of four experts, adversarially, and attacks it with AutoAttack and with attacks on its routing. See README.md.
import { mkdir } from 'node:fs/promises';
import { cosine, pgdAdversarial, sgd, train } from '@moe/adv-train';
import { autoAttack, evaluate, flipRoutes, pgd, routingAttacks } from '@moe/attacks';
import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { batches, take, toTensors } from '@moe/datasets';
import { fashionMnist } from '@moe/datasets/node';
import { logitsFn, modelWeights, moeModel } from '@moe/layers';
import { buildNetwork } from './network.js';

const [images = 3000, attacked = 30, seeds = 1] = process.argv.slice(2, 5).map(Number);
const resultsFile = process.argv[5];
const eps = 0.03;
const batchSize = 64;

const { engine } = await useBackend('auto');
const data = take(await fashionMnist({ split: 'train' }), images);
const test = take(await fashionMnist({ split: 'test' }), attacked);
const { inputs } = toTensors(await test.read(Array.from({ length: attacked }, (_, i) => i)));
// Together they are autoAttack({ eps, version: 'moe' }).
const [standard, routing] = [autoAttack({ eps }), routingAttacks({ eps })];

const both = (a: string, b: string): number => Array.from(a).filter((flag, i) => flag === '1' && b[i] === '1').length / a.length;
const percent = (share: number, width: number): string => (100 * share).toFixed(1).padStart(width);
const records = [];
console.log('seed  clean %  AutoAttack %  AutoAttack twice %  attacks on routing %  AutoAttack and these %  route flips within eps %');
for (let seed = 1; seed <= seeds; seed++) {
  const network = buildNetwork(seed);
  const view = moeModel(network);
  const model = logitsFn(view);
  await train({
    model: view,
    weights: modelWeights(network),
    data: (epoch) => batches(data, { batchSize, rng: createRng(seed), epoch }),
    batchesPerEpoch: Math.ceil(images / batchSize),
    epochs: 4,
    objective: pgdAdversarial({ attack: pgd({ eps, steps: 3, goal: 'maxLoss' }), batchNorm: 'running' }),
    optimizer: sgd({ momentum: 0.9 }),
    schedule: cosine({ base: 0.05 }),
    seed,
  });
  const first = await evaluate({ model, data: test, attacks: [standard, routing], seed, batchSize: 100 });
  // As much time again for AutoAttack, so that attacks on routing are not better only by being more.
  const again = await evaluate({ model, data: test, attacks: [standard], seed: seed + 100, batchSize: 100 });
  const { flipped, distances } = flipRoutes(model, inputs);
  flipped.dispose();
  const flags = first.flags.robust;
  const record = {
    seed,
    clean: first.clean.accuracy,
    autoAttack: first.attacks[0]!.robustAccuracy,
    autoAttackTwice: both(flags[standard.name]!, again.flags.robust[standard.name]!),
    routing: first.attacks[1]!.robustAccuracy,
    worstCase: first.worstCase.robustAccuracy,
    flipsWithinEps: distances.filter((distance) => distance <= eps).length / attacked,
  };
  records.push(record);
  console.log(`${String(seed).padStart(4)} ${percent(record.clean, 8)} ${percent(record.autoAttack, 13)} ${percent(record.autoAttackTwice, 19)} ${percent(record.routing, 21)} ${percent(record.worstCase, 23)} ${percent(record.flipsWithinEps, 25)}`);
  network.dispose();
}
if (resultsFile !== undefined) {
  await mkdir(new URL('results/', import.meta.url), { recursive: true });
  await writeFileAtomic(new URL(`results/${resultsFile}`, import.meta.url).pathname, `${JSON.stringify({ engine, images, attacked, eps, records }, null, 2)}\n`);
}
