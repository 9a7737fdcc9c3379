import { ENGINE } from '@moe/testing';
import type { AttackNorm } from '../geometry/geometry.js';
import { describeAttack } from '../testing/describe-attack.js';
import { asMoe } from '../testing/moe-models.js';
import { expertTargeted, twoPhase } from './expert-targeted.js';
import { frozenRoutes } from './frozen-routes.js';
import { pathEnumeration } from './path-enumeration.js';
import { detachedGates, relaxedGates, trainingGates } from './relaxed-gates.js';

for (const norm of ['Linf', 'L2'] satisfies AttackNorm[]) {
  const traits = { norm, loss: 'ce', restarts: false, wrap: (model: Parameters<typeof asMoe>[0]) => asMoe(model, 6) } as const;
  describeAttack(`relaxedGates ${norm}`, ({ eps }) => relaxedGates({ eps, norm, steps: 8, temperatures: [1, 0.1] }), {
    ...traits,
    lossOption: false,
    // The softmax of tensorflow rounds rows by their place in the batch, and every step in L2 carries that on.
    ...(ENGINE === 'tensorflow' && norm === 'L2' && { batchRounding: 1e-5 }),
  });
  describeAttack(`trainingGates ${norm}`, ({ eps }) => trainingGates({ eps, norm, steps: 8 }), { ...traits, lossOption: false });
  describeAttack(`detachedGates ${norm}`, ({ eps }) => detachedGates({ eps, norm, steps: 8 }), { ...traits, lossOption: false });
  describeAttack(`frozenRoutes ${norm}`, ({ eps }) => frozenRoutes({ eps, norm, steps: 8 }), traits);
  describeAttack(`twoPhase ${norm}`, ({ eps }) => twoPhase({ eps, norm, steps: 6, routeSteps: 4 }), {
    ...traits,
    // The nearest misclassified point may lie outside the route that it keeps to.
    exact: false,
  });
  describeAttack(`expertTargeted ${norm}`, ({ eps }) => expertTargeted({ eps, norm, steps: 6, routeSteps: 4, starts: ['route', 'random'] }), traits);
  describeAttack(`pathEnumeration ${norm}`, ({ eps }) => pathEnumeration({ eps, norm, steps: 8 }), traits);
}
