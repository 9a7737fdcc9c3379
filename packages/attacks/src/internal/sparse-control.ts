import type { ApgdVariant } from './step-control.js';

// Croce & Hein 2021, Sec. 3.3 and released code.
const CHECKED_EVERY = 0.04;
const FIRST_SHARE = 0.2;
const STABLE = 0.95;
const SHRINK = 1.5;
const LEAST_STEP = 0.1;
const SLACK = 1e-9; // so that whole numbers stay what they are

/** Step size of one row in L1, and along how many coordinates it goes. */
export interface SparseControl {
  stepSize(): number;
  count(): number;
  /**
   * Adapts both at every checkpoint.
   *
   * @param step    - number of the step that led to the present point, from 0 for the start.
   * @param changed - counts the coordinates in which the best point differs from the clean one.
   */
  observe(step: number, changed: () => number): 'go-on' | 'restart-from-best';
}

export interface SparseControlOptions {
  readonly variant: ApgdVariant;
  /** Radius of the ball, which is also the first step size. */
  readonly eps: number;
  readonly steps: number;
  /** Numbers of an example. */
  readonly size: number;
  /** Coordinates in which the start differs, where it is the end of an earlier stage. */
  readonly changed?: number;
}

/**
 * Watches how sparse the best point gets: while the number of changed coordinates falls by more than 5 % between checkpoints, steps are as long as the radius and start from the best point;
 * else they get shorter by a third, down to a tenth of the radius. Each step goes along two thirds as many coordinates as the best point changes.
 *
 * @remarks
 * That number is rounded down, to 1 at least, where the released code rounds up and so never goes along less than two.
 */
export function createSparseControl({ variant, eps, steps, size, changed }: SparseControlOptions): SparseControl {
  const every = Math.max(Math.floor(CHECKED_EVERY * steps), 1);
  let stepSize = eps;
  let before = changed ?? size;
  let wanted = changed === undefined ? FIRST_SHARE * size : changed / SHRINK;
  return {
    stepSize: () => stepSize,
    count: () => Math.min(Math.max(variant === 'autoattack' ? Math.ceil(wanted - SLACK) : Math.floor(wanted + SLACK), 1), size),
    observe: (step, count) => {
      if (step === 0 || step % every !== 0) return 'go-on';
      const now = count();
      const sparser = now / before < STABLE;
      stepSize = sparser ? eps : Math.max(stepSize / SHRINK, LEAST_STEP * eps);
      wanted = now / SHRINK;
      before = now;
      return sparser ? 'restart-from-best' : 'go-on';
    },
  };
}
