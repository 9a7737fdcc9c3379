// Trains a model that routes every image to one of four experts, adversarially, and attacks it with AutoAttack and with attacks on its routing. See README.md.
import { mkdir } from 'node:fs/promises';
import { cosine, sgd, train } from '@moe/adv-train';
import { autoAttack, evaluate, flipRoutes, routingAttacks } from '@moe/attacks';
import { useBackend } from '@moe/backend';
import { type LogitsFn, createRng } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { batches, take, toTensors } from '@moe/datasets';
import { fashionMnist } from '@moe/datasets/node';
import { logitsFn, modelWeights, moeModel } from '@moe/layers';
import { buildNetwork, deployed } from './network.js';
import { routedByClass } from './objective.js';

const [trainedOn = '3000', attackedOn = '30', seedList = '1', resultsFile] = process.argv.slice(2);
const [images, attacked, seeds] = [Number(trainedOn), Number(attackedOn), seedList.split(',').map(Number)];
const eps = 0.03;
const batchSize = 64;

const { engine } = await useBackend('auto');
const data = take(await fashionMnist({ split: 'train' }), images);
const test = take(await fashionMnist({ split: 'test' }), attacked);
const { inputs } = toTensors(await test.read(Array.from({ length: attacked }, (_, i) => i)));
// Together they are autoAttack({ eps, version: 'moe' }).
const [standard, routing] = [autoAttack({ eps }), routingAttacks({ eps })];

/** How many of some images AutoAttack leaves standing. */
async function standing(model: LogitsFn, indices: readonly number[], seed: number): Promise<number> {
  return indices.length === 0 ? 0 : (await evaluate({ model, data: test, attacks: [standard], seed, indices })).worstCase.robust;
}

const percent = (share: number, width: number): string => (100 * share).toFixed(1).padStart(width);
const records = [];
console.log('seed  clean %  AutoAttack %  attacks on routing %  AutoAttack and these %  only these fool  AutoAttack again leaves  with straight-through gradients  route flips within eps %');
for (const seed of seeds) {
  const network = buildNetwork(seed);
  const view = moeModel(network);
  const model = deployed(view);
  await train({
    model: view,
    weights: modelWeights(network),
    data: (epoch) => batches(data, { batchSize, rng: createRng(seed), epoch }),
    batchesPerEpoch: Math.ceil(images / batchSize),
    epochs: 4,
    objective: routedByClass(eps),
    optimizer: sgd({ momentum: 0.9 }),
    schedule: cosine({ base: 0.05 }),
    seed,
  });
  const { clean, attacks, worstCase, flags } = await evaluate({ model, data: test, attacks: [standard, routing], seed, batchSize: 100 });
  const overlooked = flags.ids.filter((_, i) => flags.robust[standard.name]![i] === '1' && flags.robust[routing.name]![i] === '0');
  const { flipped, distances } = flipRoutes(model, inputs);
  flipped.dispose();
  const record = {
    seed,
    clean: clean.accuracy,
    autoAttack: attacks[0]!.robustAccuracy,
    routing: attacks[1]!.robustAccuracy,
    worstCase: worstCase.robustAccuracy,
    overlooked: overlooked.length,
    // Once more, with other random draws; and with help that the deployed model does not give: a gradient to its router.
    leftAgain: await standing(model, overlooked, seed + 100),
    leftStraightThrough: await standing(logitsFn(view), overlooked, seed + 200),
    flipsWithinEps: distances.filter((distance) => distance <= eps).length / attacked,
  };
  records.push(record);
  const counts = `${String(record.overlooked).padStart(15)} ${String(record.leftAgain).padStart(24)} ${String(record.leftStraightThrough).padStart(31)}`;
  console.log(`${String(seed).padStart(4)} ${percent(record.clean, 8)} ${percent(record.autoAttack, 13)} ${percent(record.routing, 21)} ${percent(record.worstCase, 23)} ${counts} ${percent(record.flipsWithinEps, 25)}`);
  network.dispose();
}
if (resultsFile !== undefined) {
  await mkdir(new URL('results/', import.meta.url), { recursive: true });
  await writeFileAtomic(new URL(`results/${resultsFile}`, import.meta.url).pathname, `${JSON.stringify({ engine, images, attacked, eps, records }, null, 2)}\n`);
}
