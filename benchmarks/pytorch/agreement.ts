import type { Side } from '../side.js';

interface Answers {
  readonly logits: readonly number[];
  readonly gradient: readonly number[];
  readonly attack?: readonly number[];
  readonly losses?: readonly number[];
}

/** Largest difference, in those of the largest value. */
function largest(ours: readonly number[], theirs: readonly number[]): number {
  const scale = Math.max(...theirs.map(Math.abs));
  return Math.max(...theirs.map((value, i) => Math.abs(value - (ours[i] ?? Number.NaN)))) / scale;
}

/** Length of the difference, in that of the value. */
function relative(ours: readonly number[], theirs: readonly number[]): number {
  const length = (values: readonly number[]): number => Math.sqrt(values.reduce((total, value) => total + value * value, 0));
  return length(theirs.map((value, i) => value - (ours[i] ?? Number.NaN))) / length(theirs);
}

/** How two answers are compared, and how far apart they may be. */
const RULES: Readonly<Record<keyof Answers, readonly [differ: typeof largest, most: number]>> = {
  logits: [largest, 1e-4],
  losses: [largest, 1e-4],
  // The sign of a value near 0 may differ before a ReLU, and with it a whole path; in an attack, the sign of a slope.
  gradient: [relative, 1e-2],
  attack: [relative, 1e-2],
};

/**
 * Makes sure that both sides compute the same thing, before anything is timed.
 *
 * @param same - compares the ordinary model of tfjs, whose strided convolutions pad as `'same'` does.
 * @throws Error if the logits or the losses of four training steps differ by more than 1e-4 of their size, or input gradient or attack by more than 1e-2.
 */
export async function expectAgreement(subject: string, [ours, theirs]: readonly [Side, Side], same: boolean): Promise<void> {
  const a = await ours.ask<Answers>({ do: 'check', same });
  const b = await theirs.ask<Answers>({ do: 'check', same });
  for (const [what, [differ, most]] of Object.entries(RULES) as [keyof Answers, (typeof RULES)[keyof Answers]][]) {
    const [mine, other] = [a[what], b[what]];
    if (mine === undefined && other === undefined) continue;
    const difference = differ(mine ?? [], other ?? []);
    // NaN fails, too.
    if (!(difference <= most)) throw new Error(`pytorch: ${what} of ${subject} must agree to ${most}, got a difference of ${difference}.`);
  }
}
