// A program for kill.once.test.ts: trains into the checkpoint named by its argument, one line a step, and ends with weights and history as JSON.
import { setTimeout as sleep } from 'node:timers/promises';
import '@tensorflow/tfjs-backend-cpu';
import { enableProdMode } from '@tensorflow/tfjs-core';
import { pgd } from '@moe/attacks';
import { fileCheckpoint } from '../node/file-checkpoint.js';
import { pgdAdversarial } from '../objectives/pgd-adversarial.js';
import { sgd } from '../optimizers/sgd.js';
import { cosine } from '../schedules/cosine.js';
import { train } from '../train.js';
import { tinyBatches } from './data.js';
import { moeMlp } from './models.js';

enableProdMode();
const [path = '', modelSeed = '1'] = process.argv.slice(2);
const { model, weights, values } = moeMlp(Number(modelSeed));
const { history, averaged } = await train({
  model,
  weights,
  data: tinyBatches(40, 4),
  batchesPerEpoch: 10,
  epochs: 3,
  objective: pgdAdversarial({ attack: pgd({ eps: 0.1, steps: 2, goal: 'maxLoss' }), batchNorm: 'batch-updating' }),
  optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 5e-4 }),
  schedule: cosine({ base: 0.1, warmupEpochs: 1, per: 'step' }),
  groups: [{ match: (name) => name.startsWith('bn/'), optimizer: sgd({ momentum: 0.9 }), learningRate: 0.5 }],
  clipNorm: 0.5,
  accumulate: 2,
  ema: { decay: 0.9, ramp: true },
  seed: 7,
  checkpoint: fileCheckpoint(path),
  checkpointEvery: 3,
  onEvent: async ({ type }) => {
    process.stdout.write(`${type}\n`);
    await sleep(10); // Leaves the killer time to hit any place.
  },
});
process.stdout.write(`${JSON.stringify({ history, values: values(), averaged: Array.from(averaged ?? []) })}\n`);
