import { describeAttack } from '../testing/describe-attack.js';
import { asMoe } from '../testing/moe-models.js';
import { auxiliaryLoss } from './auxiliary-loss.js';
import { expertTargeted, twoPhase } from './expert-targeted.js';
import { frozenRoutes } from './frozen-routes.js';
import { pathEnumeration } from './path-enumeration.js';
import { detachedGates, relaxedGates, trainingGates } from './relaxed-gates.js';

const norm = 'L1';
const traits = { norm, loss: 'ce', restarts: false, wrap: (model: Parameters<typeof asMoe>[0]) => asMoe(model, 6) } as const;
describeAttack('relaxedGates L1', ({ eps }) => relaxedGates({ eps, norm, steps: 9, temperatures: [0.3] }), { ...traits, lossOption: false });
describeAttack('trainingGates L1', ({ eps }) => trainingGates({ eps, norm, steps: 9 }), { ...traits, lossOption: false });
describeAttack('detachedGates L1', ({ eps }) => detachedGates({ eps, norm, steps: 9 }), { ...traits, lossOption: false });
describeAttack('auxiliaryLoss L1', ({ eps }) => auxiliaryLoss({ eps, norm, steps: 5 }), traits);
describeAttack('frozenRoutes L1', ({ eps }) => frozenRoutes({ eps, norm, steps: 5 }), traits);
describeAttack('twoPhase L1', ({ eps }) => twoPhase({ eps, norm, steps: 5, routeSteps: 3 }), { ...traits, exact: false });
describeAttack('expertTargeted L1', ({ eps }) => expertTargeted({ eps, norm, steps: 5, routeSteps: 3, starts: ['route'] }), traits);
describeAttack('pathEnumeration L1', ({ eps }) => pathEnumeration({ eps, norm, steps: 6 }), traits);
