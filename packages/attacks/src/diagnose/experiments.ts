import type { LogitsFn } from '@moe/core';
import type { Finding } from '../evaluate/evaluation.js';
import { selfTest } from '../self-test/self-test.js';
import type { Measures } from './diagnosis.js';
import { finding, severityOf } from './doubt.js';
import { lossStability, pathIndicators } from './indicators.js';
import { blackBox, moreSteps, noise, otherRadii, rounding, shareLeft, singleStep, transfer, unbounded } from './order.js';
import { gradientSlopes } from './slopes.js';
import { type Outcome, type Subject, runAttack } from './subject.js';

const PLANTED = 8; // examples of the self-test
const SAMPLES = 64;

/** The experiments by name, in the order in which they run; most build on the first. */
export function experimentsOf(subject: Subject, twin: LogitsFn | undefined) {
  let outcome: Outcome | undefined;
  const base = (): Outcome => (outcome ??= runAttack(subject, subject.attackOf(subject)));
  return {
    attack: () => ({ findings: [] as readonly Finding[], left: shareLeft(base()) }),
    step: () => singleStep(subject, base()),
    radii: () => otherRadii(subject, base()),
    steps: () => moreSteps(subject, base()),
    unbounded: () => unbounded(subject),
    noise: () => noise(subject, base()),
    'black box': () => blackBox(subject, base()),
    transfer: () => (twin === undefined ? { findings: [], left: null } : transfer(subject, base(), twin)),
    rounding: () => rounding(subject, base()),
    slopes: () => gradientSlopes(subject),
    stability: () => lossStability(subject),
    paths: () => pathIndicators(subject),
    planted: () => planted(subject),
  };
}

type Experiments = ReturnType<typeof experimentsOf>;
export type Results = { readonly [Name in keyof Experiments]: ReturnType<Experiments[Name]> };

export const measuresOf = (results: Results): Measures => ({
  robust: results.attack.left,
  robustHalfEps: results.radii.half,
  robustDoubleEps: results.radii.double,
  robustUnbounded: results.unbounded.left,
  robustMoreSteps: results.steps.left,
  robustSingleStep: results.step.left,
  robustNoise: results.noise.left,
  robustBlackBox: results['black box'].left,
  robustTransfer: results.transfer.left,
  robustRounded: results.rounding.left,
  gradientError: results.slopes.gradientError,
  lossChange: results.stability.lossChange,
  zeroSteps: results.paths.zeroSteps,
  zeroCoordinates: results.paths.zeroCoordinates,
  plantedFound: results.planted.found,
  plantedFoundAtRandom: results.planted.foundAtRandom,
});

/** Points that certainly exist, on top of the model's logits. */
function planted(subject: Subject): { readonly findings: readonly Finding[]; readonly found: number | null; readonly foundAtRandom: number | null } {
  const { passRate: found, randomPassRate: foundAtRandom, examples, missed } = selfTest(subject, subject.attackOf(subject), subject.model, PLANTED, SAMPLES);
  if (missed.length === 0) return { findings: [], found, foundAtRandom };
  const message = `The attack misses ${missed.length} of ${examples} points that were planted in the ball.`;
  const advice = 'The attack is too weak for this model: points that certainly exist escape it.';
  return { findings: [finding('attack-misses-planted', severityOf(missed.length, examples), message, advice, missed)], found, foundAtRandom };
}
