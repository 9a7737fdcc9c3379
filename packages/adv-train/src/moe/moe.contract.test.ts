import { pgd } from '@moe/attacks';
import { createRng } from '@moe/core';
import { pgdAdversarial } from '../objectives/pgd-adversarial.js';
import { describeObjective } from '../testing/describe-objective.js';
import type { TestModel } from '../testing/models.js';
import { toyMoe } from '../testing/toy-moe.js';
import { advMoe } from './adv-moe.js';
import { prc } from './prc.js';
import { routerKl } from './router-kl.js';
import { routerMargin } from './router-margin.js';
import { rtEr } from './rt-er.js';
import { vmoeAdversarialFineTuning } from './v-moe-fine-tuning.js';
import { withTerms } from './with-terms.js';

const eps = 0.1;
const attack = pgd({ eps, steps: 2, start: 'normal', goal: 'lastStep' });
const kl = pgd({ eps, steps: 2, loss: 'kl', start: 'normal', goal: 'lastStep' });

/** A noisy router that uses both of its experts on the rows of `tinyBatches`. */
function model(seed: number): TestModel {
  const rng = createRng(seed);
  const matrix = (name: string): number[][] => Array.from({ length: 4 }, (_, row) => Array.from(rng.stream(name).at(row).normal(2)));
  const router = matrix('router').map(([a, b], row) => [a! / 4 + [3, -3, 2, -2][row]!, b! / 4]);
  return toyMoe({ router, experts: [matrix('expert0'), matrix('expert1')], noise: 0.1 });
}

describeObjective('terms of routers', () => withTerms(pgdAdversarial({ attack, batchNorm: 'running' }), [routerKl({ weight: 1 }), routerMargin({ weight: 0.5 }), prc({ attack: kl })]), { eps, model });
describeObjective('rtEr', () => rtEr({ attack, variant: 'paper' }), { eps, model });
describeObjective('advMoe as released', () => advMoe({ attack: kl, variant: 'released' }), { eps, model });
describeObjective('vmoeAdversarialFineTuning', () => vmoeAdversarialFineTuning({ eps, steps: 2, variant: 'fixed', attackAux: true }), { eps, model });
