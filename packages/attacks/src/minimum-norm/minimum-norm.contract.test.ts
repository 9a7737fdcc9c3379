import type { AttackNorm } from '../geometry/geometry.js';
import { describeAttack } from '../testing/describe-attack.js';
import { describeMinimumNormAttack } from '../testing/describe-minimum-norm-attack.js';
import { carliniWagner } from './carlini-wagner.js';
import { ddn } from './ddn.js';
import { deepFool } from './deep-fool.js';
import { fmn } from './fmn.js';

const shared = { loss: 'cw', restarts: false, lossOption: false } as const;
const radius = (eps: number | undefined): { eps?: number } => (eps === undefined ? {} : { eps });

for (const norm of ['Linf', 'L2', 'L1'] satisfies AttackNorm[]) {
  describeAttack(`deepFool ${norm}`, ({ eps }) => deepFool({ eps, norm }), { ...shared, norm });
  describeMinimumNormAttack(`deepFool ${norm}`, ({ eps, effort }) => deepFool({ ...radius(eps), norm, steps: 200 * effort }), { norm, tolerance: 2e-4, boxTolerance: norm === 'L1' ? 0.01 : 2e-3, prefix: true, classes: 3 });
  describeAttack(`fmn ${norm}`, ({ eps }) => fmn({ eps, norm, steps: 30 }), { ...shared, norm });
  describeMinimumNormAttack(`fmn ${norm}`, ({ eps, effort }) => fmn({ ...radius(eps), norm, steps: 100 * effort }), { norm, tolerance: 0.01, boxTolerance: 0.01, prefix: false, classes: 2 });
}
describeAttack('ddn', ({ eps }) => ddn({ eps, steps: 100 }), { ...shared, norm: 'L2' });
describeMinimumNormAttack('ddn', ({ eps, effort }) => ddn({ ...radius(eps), steps: 100 * effort }), { norm: 'L2', tolerance: 0.01, boxTolerance: 0.01, prefix: false, classes: 2 });
describeAttack('carliniWagner', ({ eps }) => carliniWagner({ eps, steps: 40, learningRate: 0.05, searches: 4, firstWeight: 1 }), { ...shared, norm: 'L2', exact: false });
describeMinimumNormAttack('carliniWagner', ({ eps, effort }) => carliniWagner({ ...radius(eps), steps: 1000 * effort, firstWeight: 0.1 }), {
  norm: 'L2',
  tolerance: 0.02,
  boxTolerance: 0.02,
  prefix: false,
  classes: 2,
  models: 1,
  rows: 12,
});
