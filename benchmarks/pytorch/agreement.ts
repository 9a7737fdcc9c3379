import type { Side } from './side.js';

interface Answers {
  readonly logits: readonly number[];
  readonly gradient: readonly number[];
  readonly losses: readonly number[];
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

/**
 * Makes sure that both sides compute the same thing, before anything is timed.
 *
 * @param same - compares the ordinary model of tfjs, whose strided convolutions pad as `'same'` does.
 * @throws Error if the logits or the losses of two training steps differ by more than 1e-4 of their size. The gradient is held to 1e-2 only:
 * the sign of a value near 0 may differ before a ReLU, and with it a whole path.
 */
export async function expectAgreement(subject: string, [ours, theirs]: readonly [Side, Side], same: boolean): Promise<void> {
  const [a, b] = await Promise.all([ours, theirs].map((side) => side.ask<Answers>({ do: 'check', same }))) as [Answers, Answers];
  const differences = { logits: largest(a.logits, b.logits), gradient: relative(a.gradient, b.gradient) / 100, losses: same ? 0 : largest(a.losses, b.losses) };
  for (const [what, difference] of Object.entries(differences)) {
    // NaN fails, too.
    if (!(difference <= 1e-4)) throw new Error(`pytorch: the ${what} of ${subject} must agree to 1e-4${what === 'gradient' ? ' × 100' : ''}, got ${difference}.`);
  }
}
