import { withEot } from './combinators/with-eot.js';
import { withRestarts } from './combinators/with-restarts.js';
import { worstOf } from './combinators/worst-of.js';
import { fgsm } from './fgsm.js';
import type { AttackNorm } from './geometry/geometry.js';
import { mifgsm } from './momentum/mifgsm.js';
import { noise } from './noise.js';
import { pgd } from './pgd.js';
import { describeAttack } from './testing/describe-attack.js';

for (const norm of ['Linf', 'L2'] satisfies AttackNorm[]) {
  describeAttack(`mifgsm ${norm}`, ({ eps }) => mifgsm({ eps, norm }), { norm, loss: 'ce', restarts: false });
  describeAttack(`mifgsm ${norm}, look ahead, diversity and translation`, ({ eps }) => mifgsm({ eps, norm, nesterov: true, diversity: 0.5, translation: 3 }), {
    norm,
    loss: 'ce',
    restarts: false,
    // Smoothed and shrunk gradients lead to no corner.
    exact: false,
  });
  describeAttack(`noise ${norm}`, ({ eps, restarts }) => noise({ eps, norm, queries: 20 * restarts }), { norm, loss: 'cw', restarts: false, lossOption: false, exact: false });
  describeAttack(`pgd ${norm}, means of 2 draws`, ({ eps }) => withEot(pgd({ eps, norm, steps: 8, stepSize: eps }), 2), { norm, loss: 'ce', restarts: false, lossOption: false });
}
describeAttack('fgsm from a corner', ({ eps }) => fgsm({ eps, start: 'sign', stepSize: 2 * eps }), { norm: 'Linf', loss: 'ce', restarts: false });
describeAttack('fgsm with restarts', ({ eps, restarts }) => withRestarts(fgsm({ eps, start: 'uniform', stepSize: 2 * eps }), restarts), { norm: 'Linf', loss: 'ce', restarts: false, lossOption: false });
describeAttack('worst of two', ({ eps }) => worstOf('two', [noise({ eps }), pgd({ eps, steps: 5, stepSize: eps })]), { norm: 'Linf', loss: 'ce', restarts: false, lossOption: false });
