// A program for kill.test.ts: trains into a checkpoint file on wasm, and kills itself without warning at a point of the given number. At its end it prints how many points it has passed.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CheckpointStore, cosine, pgdAdversarial, sgd, train } from '@moe/adv-train';
import { fileCheckpoint } from '@moe/adv-train/node';
import { pgd } from '@moe/attacks';
import { useBackend } from '@moe/backend';
import { type Batch, type MoeModel, createRng } from '@moe/core';
import { batches, colouredShapes, randomHorizontalFlip, subset } from '@moe/datasets';
import { modelWeights, moeModel, resnet } from '@moe/layers';
import { gapFc, topKRouter } from '@moe/router';
import { enableProdMode } from '@tensorflow/tfjs-core';

const [path = '', modelSeed = '1', killAt = '0', wasmPaths = ''] = process.argv.slice(2);

let points = 0;
/** Somewhere the run may die: between two passes of the model, at an event, while a batch is read or a checkpoint is written. */
function point(): void {
  if (++points === Number(killAt)) process.kill(process.pid, 'SIGKILL');
}

function mortalModel(model: MoeModel): MoeModel {
  return {
    ...model,
    forward: (...args) => {
      point();
      return model.forward(...args);
    },
  };
}

async function* mortalBatches(source: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  for await (const batch of source) {
    point();
    yield batch;
  }
}

function mortalStore({ read, write }: CheckpointStore): CheckpointStore {
  return {
    read,
    write: async (bytes) => {
      const written = write(bytes);
      for (let turn = 0; turn < 4; turn++) {
        await nextTurn();
        point();
      }
      await written;
    },
  };
}

enableProdMode();
await useBackend('wasm', { wasmPaths });
const shapes = colouredShapes({ rng: createRng(1), length: 24, size: 8 });
const [data, heldOut] = [subset(shapes, Array.from({ length: 16 }, (_, i) => i)), subset(shapes, Array.from({ length: 8 }, (_, i) => 16 + i))];
const router = topKRouter({ numExperts: 3, gate: gapFc(), noiseStd: 0.1, balance: { loss: 'entropyLoss', weight: 0.5 } });
const network = resnet({ depth: 10, width: 2, stem: 'cifar', classes: 4, inputShape: [8, 8, 3], seed: Number(modelSeed), moe: { at: 'layer2', kind: 'block', router } });
const attack = pgd({ eps: 0.05, steps: 1, goal: 'maxLoss' });
await train({
  model: mortalModel(moeModel(network)),
  weights: modelWeights(network),
  data: (epoch) => mortalBatches(batches(data, { batchSize: 4, rng: createRng(2), epoch, augment: [randomHorizontalFlip()] })),
  batchesPerEpoch: 4,
  epochs: 3,
  objective: pgdAdversarial({ attack, batchNorm: 'batch-updating' }),
  optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 5e-4 }),
  schedule: cosine({ base: 0.1, warmupEpochs: 1, per: 'step' }),
  accumulate: 2,
  clipNorm: 1,
  ema: { decay: 0.9, ramp: true },
  seed: 7,
  validation: { sets: [{ name: 'pgd', data: heldOut, attacks: [attack] }], select: 'pgd', weights: 'ema', patience: 3 },
  checkpoint: mortalStore(fileCheckpoint(path)),
  checkpointEvery: 1,
  onEvent: point,
});
process.stdout.write(String(points));
