import { add, div, mul, round, sub } from '@tensorflow/tfjs-core';
import { type LogitsFn, straightThrough } from '@moe/core';
import type { Finding, FindingId } from '../evaluate/evaluation.js';
import { fgsm } from '../fgsm.js';
import { pgd } from '../pgd.js';
import { square } from '../square.js';
import { finding, severityOf } from './doubt.js';
import { type Outcome, type Subject, runAttack } from './subject.js';

const MORE_STEPS = 4;
const NOISE_POINTS = 20;
const QUERIES = 300;
/** Share of the examples that more steps may still find. */
const CONVERGED = 0.05;
const GREY_LEVELS = 255;
/** Share of the examples that rounding to 8 bits may save. */
const ROUNDED = 0.05;

const ADVICE = 'Gradients hide what is there: do not quote what gradient attacks leave, look for masked gradients.';

/** What one attack found and another did not, as ids. */
const onlyIn = ({ ids }: Subject, one: Outcome, other: Outcome): number[] => ids.filter((_, row) => one.fooled[row] === true && other.fooled[row] === false);

export const shareLeft = ({ fooled }: Outcome): number => fooled.filter((value) => !value).length / fooled.length;
const leaves = (outcome: Outcome): string => `${(100 * shareLeft(outcome)).toFixed(1)} %`;

/** A finding if the attack that cannot be weaker leaves clearly more than the other. */
function misordered(subject: Subject, id: FindingId, weaker: Outcome, stronger: Outcome, words: string, advice: string): Finding[] {
  const [lost, won] = [onlyIn(subject, weaker, stronger), onlyIn(subject, stronger, weaker)];
  if (lost.length - won.length < 2 || severityOf(lost.length - won.length, subject.ids.length) !== 'invalid') return [];
  return [finding(id, 'invalid', `${words} leaves ${leaves(stronger)} of the examples, without it ${leaves(weaker)}.`, advice, lost)];
}

/** A finding as soon as something that sees no gradient of the model finds what the attack does not. */
function outdone(subject: Subject, id: FindingId, base: Outcome, rival: Outcome, who: string): Finding[] {
  const found = onlyIn(subject, rival, base);
  if (found.length === 0) return [];
  return [finding(id, severityOf(found.length, subject.ids.length), `${who} fool ${found.length} of ${subject.ids.length} examples that the attack leaves.`, ADVICE, found)];
}

/** One experiment: what it finds, and the share of the examples it leaves. */
export interface Experiment {
  readonly findings: readonly Finding[];
  readonly left: number;
}

const experiment = (outcome: Outcome, findings: readonly Finding[]): Experiment => ({ findings, left: shareLeft(outcome) });

export function singleStep(subject: Subject, base: Outcome): Experiment {
  const { eps, norm, bounds } = subject;
  const step = runAttack(subject, fgsm({ eps, norm, bounds }));
  return experiment(step, misordered(subject, 'single-step-stronger', step, base, 'Going on after the first step', 'Gradients mislead the attack after its first step: look for masked gradients.'));
}

export function moreSteps(subject: Subject, base: Outcome): Experiment {
  const long = runAttack(subject, subject.attackOf({ ...subject, steps: MORE_STEPS * subject.steps }));
  const worse = misordered(subject, 'more-steps-weaker', base, long, `${MORE_STEPS} times the number of steps`, 'More work never hurts an attack that keeps its best point: look for randomness in the model or the attack.');
  const gained = shareLeft(base) - shareLeft(long);
  if (gained <= CONVERGED) return experiment(long, worse);
  const message = `${MORE_STEPS} times the number of steps fools ${(100 * gained).toFixed(1)} % more of the examples.`;
  return experiment(long, [...worse, finding('not-converged', 'suspect', message, 'Give the attack more steps.', onlyIn(subject, long, base))]);
}

/** The attack in half and in twice the radius. */
export function otherRadii(subject: Subject, base: Outcome): { readonly findings: readonly Finding[]; readonly half: number; readonly double: number } {
  const [half, double] = [0.5, 2].map((factor) => runAttack(subject, subject.attackOf({ ...subject, eps: factor * subject.eps }))) as [Outcome, Outcome];
  const advice = 'A larger ball holds the smaller one: gradients mislead the attack. Give it more steps and restarts, and look for masked gradients.';
  const findings = [
    ...misordered(subject, 'larger-eps-weaker', half, base, `eps = ${subject.eps} instead of half of it`, advice),
    ...misordered(subject, 'larger-eps-weaker', base, double, `Twice the eps of ${subject.eps}`, advice),
  ];
  return { findings, half: shareLeft(half), double: shareLeft(double) };
}

export function unbounded(subject: Subject): Experiment {
  const { ids, size, norm, bounds, steps } = subject;
  const eps = (bounds[1] - bounds[0]) * size ** { Linf: 0, L2: 0.5, L1: 1 }[norm];
  const free = runAttack(subject, subject.attackOf({ ...subject, eps, steps: MORE_STEPS * steps }));
  const survivors = ids.filter((_, row) => free.fooled[row] === false);
  if (survivors.length === 0) return experiment(free, []);
  const message = `${survivors.length} of ${ids.length} examples withstand the attack although every input is allowed.`;
  return experiment(free, [finding('unbounded-survivors', severityOf(survivors.length, ids.length), message, 'The attack does not work on this model, in any ball.', survivors)]);
}

export function noise(subject: Subject, base: Outcome): Experiment {
  const { eps, norm, bounds } = subject;
  // No step at all: the best of random points.
  const random = runAttack(subject, pgd({ eps, norm, bounds, steps: 0, restarts: NOISE_POINTS, label: 'noise' }));
  return experiment(random, outdone(subject, 'noise-stronger', base, random, `${NOISE_POINTS} random points`));
}

export function blackBox(subject: Subject, base: Outcome): Experiment {
  const { eps, norm, bounds } = subject;
  const blind = runAttack(subject, square({ eps, norm, bounds, queries: QUERIES }));
  return experiment(blind, outdone(subject, 'black-box-stronger', base, blind, `${QUERIES} queries of the Square Attack`));
}

export function transfer(subject: Subject, base: Outcome, twin: LogitsFn): Experiment {
  const carried = runAttack(subject, subject.attackOf(subject), twin);
  return experiment(carried, outdone(subject, 'transfer-stronger', base, carried, 'Adversarial points of the twin'));
}

/** The attack on a model that sees 8-bit images, with the gradient passed straight through the rounding. */
export function rounding(subject: Subject, base: Outcome): Experiment {
  const { model, bounds: [low, high] } = subject;
  const scale = GREY_LEVELS / (high - low);
  const stored: LogitsFn = (x) => model(straightThrough(add(div(round(mul(sub(x, low), scale)), scale), low), x));
  const eight = runAttack({ ...subject, model: stored }, subject.attackOf(subject));
  const gained = shareLeft(eight) - shareLeft(base);
  if (gained <= ROUNDED) return experiment(eight, []);
  const message = `As images of 8 bits ${leaves(eight)} of the examples withstand the attack, as real numbers ${leaves(base)}.`;
  const advice = 'Quote both: stored images are more robust than the number says, real-valued inputs are not.';
  return experiment(eight, [finding('lost-by-rounding', 'suspect', message, advice, onlyIn(subject, base, eight))]);
}
