import { fgsm, pgd } from '@moe/attacks';
import { describeObjective } from '../testing/describe-objective.js';
import { awp } from './awp.js';
import { fastAdversarial } from './fast-adversarial.js';
import { freeAdversarial } from './free-adversarial.js';
import { mart } from './mart.js';
import { pgdAdversarial } from './pgd-adversarial.js';
import { standard } from './standard.js';
import { trades } from './trades.js';

const eps = 0.1;
const ce = pgd({ eps, steps: 2, start: 'normal', goal: 'lastStep' });
const kl = pgd({ eps, steps: 2, loss: 'kl', start: 'normal', goal: 'lastStep' });
const klL2 = pgd({ eps, norm: 'L2', steps: 2, stepSize: eps, loss: 'kl', start: 'normal', goal: 'lastStep' });

describeObjective('standard', () => standard({ labelSmoothing: 0.1 }), { eps: 0 });
describeObjective('pgdAdversarial', () => pgdAdversarial({ attack: pgd({ eps, steps: 2, goal: 'maxLoss' }), batchNorm: 'batch', labelSmoothing: 0.1, auxWeight: 2 }), { eps });
describeObjective('trades', () => trades({ attack: kl, batchNorm: 'running' }), { eps });
describeObjective('trades in L2', () => trades({ attack: klL2, batchNorm: 'batch', auxWeight: 1, labelSmoothing: 0.1 }), { eps, norm: 'L2' });
describeObjective('trades as released', () => trades({ attack: kl, batchNorm: 'batch-updating', legacy: true }), { eps });
describeObjective('mart', () => mart({ attack: ce, batchNorm: 'running' }), { eps });
describeObjective('mart as released', () => mart({ attack: ce, batchNorm: 'running', legacy: true }), { eps });
describeObjective('fastAdversarial', () => fastAdversarial({ eps, batchNorm: 'batch-updating' }), { eps });
describeObjective('fastAdversarial as released', () => fastAdversarial({ eps, batchNorm: 'running', legacy: true }), { eps });
describeObjective('freeAdversarial', () => freeAdversarial({ eps, replays: 2, reset: 0.5 }), { eps });
describeObjective('awp', () => awp(pgdAdversarial({ attack: fgsm({ eps, goal: 'maxLoss' }), batchNorm: 'running' }), { gamma: 0.1 }), { eps });
describeObjective('awp on trades', () => awp(trades({ attack: kl, batchNorm: 'running' }), { gamma: 0.1, from: 1 }), { eps });
