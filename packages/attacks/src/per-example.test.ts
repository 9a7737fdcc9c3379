import { type Attack, createRng } from '@moe/core';
import { tensor1d, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { apgd } from './apgd.js';
import { apgdTargeted } from './apgd-targeted.js';
import { autoAttack } from './auto-attack.js';
import { hopSkipJump } from './black-box/hop-skip-jump.js';
import { sequence } from './combinators/sequence.js';
import { fab } from './fab/fab.js';
import { fabTargeted } from './fab/fab-targeted.js';
import type { PerExample } from './internal/per-example.js';
import { deepFool } from './minimum-norm/deep-fool.js';
import { expertTargeted } from './moe/expert-targeted.js';
import { frozenRoutes } from './moe/frozen-routes.js';
import { pathEnumeration } from './moe/path-enumeration.js';
import { square } from './square.js';
import { asMoe } from './testing/moe-models.js';
import { predictions, tinyNet } from './testing/models.js';

const model = asMoe(tinyNet(6, 3, 7), 6);
const images = createRng(3).uniform(24);
const ids = [2, 0, 3, 1];
/** By example id. */
const RADII = [0.02, 0.3, 0.05, 0.11];

function run(attack: Attack) {
  return tidy(() => {
    const x = tensor4d(images.slice(), [4, 2, 3, 1]);
    const { adversarial, success } = attack.perturb(model, x, tensor1d(predictions(model, x), 'int32'), { rng: createRng(1), exampleIds: ids });
    return { points: Array.from(adversarial.dataSync()), success: Array.from(success.dataSync()) };
  });
}

describe.each<[string, (eps: PerExample) => Attack]>([
  ['apgdTargeted', (eps) => apgdTargeted({ eps, steps: 5 })],
  ['apgdTargeted L1', (eps) => apgdTargeted({ eps, norm: 'L1', steps: 5 })],
  ['fab', (eps) => fab({ eps, steps: 4, restarts: 2 })],
  ['fab L2', (eps) => fab({ eps, norm: 'L2', steps: 4, restarts: 2 })],
  ['fabTargeted', (eps) => fabTargeted({ eps, steps: 4 })],
  ['square', (eps) => square({ eps, queries: 12 })],
  ['square L2', (eps) => square({ eps, norm: 'L2', queries: 12 })],
  ['square L1', (eps) => square({ eps, norm: 'L1', queries: 12 })],
  ['deepFool', (eps) => deepFool({ eps })],
  ['hopSkipJump', (eps) => hopSkipJump({ eps, queries: 300 })],
  ['expertTargeted', (eps) => expertTargeted({ eps, steps: 4, routeSteps: 4 })],
  ['frozenRoutes', (eps) => frozenRoutes({ eps, steps: 4 })],
  ['pathEnumeration', (eps) => pathEnumeration({ eps, steps: 4 })],
  ['a sequence', (eps) => sequence('two', [apgd({ eps, steps: 3 }), square({ eps, queries: 5 })])],
])('%s', (_, make) => {
  it('does to each example, by its id, what it does in the ball of its radius', () => {
    const together = run(make(RADII));
    expect(together.success.includes(0) && together.success.includes(1)).toBe(true);
    ids.forEach((id, row) => {
      const alone = run(make(RADII[id]!));
      expect(together.success[row]).toBe(alone.success[row]);
      expect(together.points.slice(6 * row, 6 * row + 6)).toEqual(alone.points.slice(6 * row, 6 * row + 6));
    });
  });

  it('refuses a list without an entry for an example', () => {
    expect(() => run(make(RADII.slice(0, 3)))).toThrow(/eps must list more than 3 examples, one by each id, got 3/);
  });
});

it.each(['standard', 'quick', 'plus', 'moe', 'rand'] as const)('autoAttack %s hands a radius for each example to all of its parts', (version) => {
  const { options } = autoAttack({ eps: RADII, version });
  expect(options.eps).toEqual(RADII);
  for (const part of options.attacks) expect(part.options).toMatchObject({ eps: RADII });
});
