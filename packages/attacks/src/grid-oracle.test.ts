// Two pixels: every point of a ball can be tried.
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { apgd } from './apgd.js';
import { apgdTargeted } from './apgd-targeted.js';
import { fabTargeted } from './fab/fab-targeted.js';
import { type AttackNorm, GEOMETRIES } from './geometry/geometry.js';
import { expertTargeted } from './moe/expert-targeted.js';
import { sequence } from './combinators/sequence.js';
import { square } from './square.js';
import { toyMoe } from './testing/moe-models.js';
import { predictions, tinyNet } from './testing/models.js';

const [ROWS, SIDE, EPS] = [8, 151, 0.12];
const inputs = createRng(5).uniform(2 * ROWS);
const grid = Array.from({ length: SIDE * SIDE }, (_, i) => [Math.floor(i / SIDE) / (SIDE - 1), (i % SIDE) / (SIDE - 1)]);

/** Of every row whether a point of the grid in its ball is misclassified together with its eight neighbours, and whether any is. */
function search(classes: Int32Array, norm: AttackNorm, labels: Int32Array): { readonly surely: boolean; readonly maybe: boolean }[] {
  const around = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => down * SIDE + right));
  return Array.from(labels, (label, row) => {
    const clean = inputs.subarray(2 * row, 2 * row + 2);
    const wrong = grid.map((point, i) => classes[i] !== label && GEOMETRIES[norm].distance(Float32Array.from(point), clean) <= EPS);
    return { surely: wrong.some((_, i) => around.every((by) => wrong[i + by] === true)), maybe: wrong.includes(true) };
  });
}

const standard = (norm: AttackNorm): Attack =>
  sequence('standard', [apgd({ eps: EPS, norm, steps: 20 }), apgdTargeted({ eps: EPS, norm, steps: 20 }), fabTargeted({ eps: EPS, norm, steps: 15 }), square({ eps: EPS, norm, queries: 60 })]);
// Three experts that know nothing of each other, by the place of the point.
const moe = toyMoe({ router: [[9, -4, -5], [2, 7, -9]], bias: [-5, -1, 6], experts: [tinyNet(2, 3, 1), tinyNet(2, 3, 2), tinyNet(2, 3, 4)] });

describe.each<[string, LogitsFn, (norm: AttackNorm) => Attack]>([
  ['a network with kinks', tinyNet(2, 3, 7, 24), standard],
  ['a mixture of experts', moe, (norm) => sequence('moe', [standard(norm), expertTargeted({ eps: EPS, norm, steps: 15, routeSteps: 10 })])],
])('on %s', (_, model, attackOf) => {
  it.each(['Linf', 'L2', 'L1'] satisfies AttackNorm[])('attacks fool in %s every example that a grid over its ball fools, but for cells on a boundary', (norm) => {
    const labels = tidy(() => predictions(model, tensor2d(inputs.slice(), [ROWS, 2])));
    const found = search(tidy(() => predictions(model, tensor2d(grid))), norm, labels);
    const success = tidy(() => Array.from(attackOf(norm).perturb(model, tensor2d(inputs.slice(), [ROWS, 2]), tensor1d(labels, 'int32'), { rng: createRng(1) }).success.dataSync()));
    found.forEach(({ surely }, row) => surely && expect(success[row], `row ${row}`).toBe(1));
    // The grid says of some that they stand and of some that they fall.
    expect(found.filter(({ surely }) => surely).length).toBeGreaterThan(1);
    expect(found.filter(({ maybe }) => !maybe).length).toBeGreaterThan(1);
  });
});
