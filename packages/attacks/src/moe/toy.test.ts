import { createRng } from '@moe/core';
import type { Attack } from '@moe/core';
import { tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { apgd } from '../apgd.js';
import { apgdTargeted } from '../apgd-targeted.js';
import { fab } from '../fab/fab.js';
import { pgd } from '../pgd.js';
import { constantExpert, toyMoe } from '../testing/moe-models.js';
import { expertTargeted, twoPhase } from './expert-targeted.js';
import { frozenRoutes } from './frozen-routes.js';
import { pathEnumeration } from './path-enumeration.js';
import { detachedGates, relaxedGates, trainingGates } from './relaxed-gates.js';

// r = (a·x - c, 0): expert 0 is always right, expert 1 always wrong, neither has a gradient. The model is fooled exactly where a·x < c.
const SIZE = 8;
const ROWS = 12;
const RADIUS = 0.05;
const a = Array.from(createRng(3).uniform(SIZE, -1, 1));
const norms = { Linf: a.reduce((total, value) => total + Math.abs(value), 0), L2: Math.hypot(...a) };
const c = -0.2;
const toy = { router: a.map((value) => [value, 0]), bias: [-c, 0], experts: [constantExpert([2, 0, -1]), constantExpert([0, 2, -1])] };
const model = toyMoe(toy);

/** Inputs far from the bounds that all have the same distance to where their route flips. */
function sample(norm: 'Linf' | 'L2'): number[] {
  const length = Math.hypot(...a);
  return Array.from({ length: ROWS }, (_, row) => {
    const x = Array.from(createRng(5).at(row).uniform(SIZE, 0.45, 0.55));
    const score = a.reduce((total, value, k) => total + value * x[k]!, 0) - c;
    return x.map((value, k) => value + ((RADIUS * norms[norm] - score) * a[k]!) / length ** 2);
  }).flat();
}

/** How many rows an attack fools in balls whose radius is a factor of that distance. */
function fooled(make: (eps: number) => Attack, norm: 'Linf' | 'L2', factor: number, { target = model, draws = 1 } = {}): number {
  return tidy(() => {
    const { success } = make(factor * RADIUS).perturb(target, tensor2d(sample(norm), [ROWS, SIZE]), tensor1d(new Array<number>(ROWS).fill(0), 'int32'), { rng: createRng(1), draws });
    return Array.from(success.dataSync()).reduce((total, flag) => total + flag, 0);
  });
}

describe.each(['Linf', 'L2'] as const)('a model whose only weakness is its router, %s', (norm) => {
  it.each<[string, (eps: number) => Attack]>([
    ['pgd', (eps) => pgd({ eps, norm, steps: 12, start: 'none' })],
    ['apgd', (eps) => apgd({ eps, norm, steps: 12 })],
    ['apgdTargeted', (eps) => apgdTargeted({ eps, norm, steps: 12 })],
    ['fab', (eps) => fab({ eps, norm, steps: 12 })],
    ['detachedGates', (eps) => detachedGates({ eps, norm, steps: 12 })],
    ['frozenRoutes', (eps) => frozenRoutes({ eps, norm, steps: 12 })],
    ['trainingGates', (eps) => trainingGates({ eps, norm, steps: 12 })],
  ])('%s sees no gradient and fools no row', (_, make) => {
    expect(fooled(make, norm, 1.001)).toBe(0);
  });

  it.each<[string, (eps: number) => Attack]>([
    ['relaxedGates', (eps) => relaxedGates({ eps, norm, steps: 12 })],
    ['expertTargeted', (eps) => expertTargeted({ eps, norm, steps: 12, routeSteps: 12 })],
    ['twoPhase', (eps) => twoPhase({ eps, norm, steps: 12, routeSteps: 12 })],
    ['pathEnumeration', (eps) => pathEnumeration({ eps, norm, steps: 12 })],
  ])('%s fools every row just beyond the distance of the flip and none before', (_, make) => {
    expect(fooled(make, norm, 1.001)).toBe(ROWS);
    expect(fooled(make, norm, 0.999)).toBe(0);
  });

  it('trainingGates fools every row just beyond and none before where the gate has a gradient in training, which the model as deployed keeps to itself', () => {
    const target = toyMoe({ ...toy, straightThrough: true });
    expect(fooled((eps) => apgd({ eps, norm, steps: 12 }), norm, 1.001, { target })).toBe(0);
    expect(fooled((eps) => trainingGates({ eps, norm, steps: 40 }), norm, 1.001, { target })).toBe(ROWS);
    expect(fooled((eps) => trainingGates({ eps, norm, steps: 40 }), norm, 0.999, { target })).toBe(0);
  });

  it.each<[string, (eps: number) => Attack]>([
    ['relaxedGates', (eps) => relaxedGates({ eps, norm, steps: 10 })],
    ['twoPhase', (eps) => twoPhase({ eps, norm, steps: 10 })],
    ['expertTargeted', (eps) => expertTargeted({ eps, norm, steps: 10, starts: ['clean', 'route'] })],
  ])('%s fools the majority of the draws of noisy gates where most of them flip', (_, make) => {
    // The difference of two scores has noise of deviation 0.1 times the lead: three deviations further flips nearly all draws, three less nearly none.
    const target = toyMoe({ ...toy, noise: (0.1 * RADIUS * norms[norm]) / Math.SQRT2 });
    expect(fooled(make, norm, 1.3, { target, draws: 5 })).toBe(ROWS);
    expect(fooled(make, norm, 0.7, { target, draws: 5 })).toBe(0);
  });
});
