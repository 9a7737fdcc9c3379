import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { useBackend } from '@moe/backend';
import { describeRouter } from '@moe/router/testing';
import { tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { hingeRouter } from './hinge-router.js';

beforeAll(async () => {
  await useBackend('cpu');
});

describeRouter('hingeRouter', (numExperts) => hingeRouter(numExperts, { margin: 0.5, balance: 1 }), { topK: [4], onDevice: true, fixedChoices: false, mixtureAtFullK: false });

it('weights experts by how little they are behind the best', () => {
  tidy(() => {
    const router = hingeRouter(3, { margin: 0.5, balance: 0 });
    const identity = { kernel: tensor2d([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), bias: tensor1d([0, 0, 0]) }; // the inputs are the scores
    const { combineWeights } = router.route(identity, tensor2d([[1, 0, -1], [1, 0.75, 0.25]]), { training: false });
    // Row 0: 0.5, 0, 0 over 0.5. Row 1: 0.5, 0.25, 0 over 0.75.
    [1, 0, 0, 2 / 3, 1 / 3, 0].forEach((value, i) => expect(combineWeights.dataSync()[i]).toBeCloseTo(value, 6));
  });
});

it('trains and attacks, tiny', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', join(import.meta.dirname, 'main.ts'), '100', '20'], { timeout: 200_000 });
  expect(stdout).toMatch(/\nhingeRouter +\d+\.0 +\d+\.0 +[1-4]\.\d\d\ntopKRouter +\d+\.0 +\d+\.0 +1\.00\n$/);
});
