// Shapes: B batch, H W pixels, C channels.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttackNorm, apgd, apgdTargeted, fabTargeted, pgd, square } from '@moe/attacks';
import { describeTensorflow } from '@moe/backend/node';
import { type Attack, createRng } from '@moe/core';
import { dispose, tensor1d, tensor4d } from '@tensorflow/tfjs-core';
import { fashionMnist } from '@moe/datasets/node';
import type { MeasuredRow } from '../benchmark.js';
import { trainedVictim } from './victims.js';

const IMAGES = 600;
/** Sizes of the batches that are compared: one is many times the other, and they cut the images differently. */
const [LARGE, SMALL] = [200, 7];
/** Allowed share of verdicts that differ, on an engine whose arithmetic for a row depends on its batch. */
const LIMIT = 1 / 500;

const attacks = (norm: AttackNorm, eps: number): Readonly<Record<string, Attack>> => ({
  'pgd-20': pgd({ eps, norm, steps: 20 }),
  'apgd-ce': apgd({ eps, norm, steps: 50 }),
  'apgd-t': apgdTargeted({ eps, norm, steps: 20, targets: 3 }),
  'fab-t': fabTargeted({ eps, norm, steps: 20, targets: 3 }),
  square: square({ eps, norm, queries: 200 }),
});

/** How many of an attack's verdicts are others when the images come in batches of another size, each example with the same draws. */
export async function* acrossBatches(): AsyncGenerator<MeasuredRow> {
  const { model } = await trainedVictim('cnn28', join(tmpdir(), 'moe-bench-attacks'), '');
  const test = await fashionMnist({ split: 'test' });
  const conditions = `TensorFlow ${(await describeTensorflow()).version}, Node ${process.versions.node}, threads 1; batches of ${LARGE} and ${SMALL}`;
  const verdicts = async (attack: Attack, batchSize: number): Promise<number[]> => {
    const found: number[] = [];
    for (let from = 0; from < IMAGES; from += batchSize) {
      const { inputs, labels, ids, shape } = await test.read(Array.from({ length: Math.min(batchSize, IMAGES - from) }, (_, i) => from + i));
      const [x, y] = [tensor4d(inputs.slice(), [...shape]), tensor1d(labels, 'int32')];
      const result = attack.perturb(model, x, y, { rng: createRng(1), exampleIds: ids });
      found.push(...result.success.dataSync());
      dispose([x, y, result.adversarial, result.success, result.loss]);
    }
    return found;
  };
  for (const [norm, eps] of [['Linf', 0.1], ['L2', 1.5]] as const) {
    for (const [name, attack] of Object.entries(attacks(norm, eps))) {
      const [large, small] = [await verdicts(attack, LARGE), await verdicts(attack, SMALL)];
      const differing = large.filter((verdict, i) => verdict !== small[i]).length;
      yield { name: `tensorflow/cnn28/${norm}/batch/${name}`, ours: differing, theirs: IMAGES, unit: 'verdicts', limit: LIMIT, conditions };
    }
  }
}
