// Trains a router of one's own inside a ResNet, beside top-1 routing, and attacks both. See README.md.
import { cosine, sgd, standard, train } from '@moe/adv-train';
import { evaluate, pgd } from '@moe/attacks';
import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { batches, take, toTensors } from '@moe/datasets';
import { fashionMnist } from '@moe/datasets/node';
import { logitsFn, modelWeights, moeModel, resnet } from '@moe/layers';
import { gapFc, topKRouter } from '@moe/router';
import { hingeRouter } from './hinge-router.js';

const [images = 2000, attacked = 200] = process.argv.slice(2).map(Number);
const batchSize = 50;
const routers = [hingeRouter(4, { margin: 0.5, balance: 0.5 }), topKRouter({ numExperts: 4, topK: 1, gate: gapFc(), balance: { loss: 'columnEntropyLoss', weight: 0.5 } })];

await useBackend('auto');
const data = take(await fashionMnist({ split: 'train' }), images);
const test = take(await fashionMnist({ split: 'test' }), attacked);
const { inputs } = toTensors(await test.read(Array.from({ length: attacked }, (_, i) => i)));
console.log('router       clean %  under PGD %  experts per image');
for (const router of routers) {
  const network = resnet({ depth: 10, width: 4, stem: 'cifar', classes: 10, inputShape: [28, 28, 1], seed: 1, moe: { at: 'layer4', kind: 'block', router } });
  const model = moeModel(network);
  await train({
    model,
    weights: modelWeights(network),
    data: (epoch) => batches(data, { batchSize, rng: createRng(1), epoch }),
    batchesPerEpoch: Math.ceil(images / batchSize),
    epochs: 2,
    objective: standard(),
    optimizer: sgd({ momentum: 0.9 }),
    schedule: cosine({ base: 0.05 }),
    seed: 1,
  });
  const { clean, worstCase } = await evaluate({ model: logitsFn(model), data: test, attacks: [pgd({ eps: 4 / 255, steps: 10 })], seed: 1 });
  const chosen = model.forward(inputs).routing[0]!.combineWeights.dataSync().filter((weight) => weight > 0).length;
  console.log(`${router.name.padEnd(11)} ${[(100 * clean.accuracy).toFixed(1).padStart(8), (100 * worstCase.robustAccuracy).toFixed(1).padStart(12), (chosen / attacked).toFixed(2).padStart(18)].join(' ')}`);
}
