/** The algorithm of the paper, or of the code released with AutoAttack, which differs in the details named at {@link apgd}. */
export type ApgdVariant = 'paper' | 'autoattack';

const SHARE = 0.75; // rho, Croce & Hein 2020, Sec. 3.1

/**
 * Steps after which AutoPGD may halve a step size, rising, each in `[1, steps]`.
 *
 * @remarks
 * Paper: ⌈p_j · steps⌉ with p_1 = 0.22 and p_{j+1} = p_j + max(p_j − p_{j−1} − 0.03, 0.06). Released code: the gaps themselves as integers.
 */
export function checkpoints(variant: ApgdVariant, steps: number): number[] {
  const found: number[] = [];
  if (variant === 'paper') {
    // In hundredths, so that no rounding moves a checkpoint.
    for (let p = 22, gap = 22; p <= 100; gap = Math.max(gap - 3, 6), p += gap) {
      const at = Math.ceil((p * steps) / 100);
      if (at !== found.at(-1)) found.push(at);
    }
    return found;
  }
  const share = (hundredths: number): number => Math.max(Math.floor((hundredths * steps) / 100), 1);
  for (let gap = share(22), at = gap; at <= steps; gap = Math.max(gap - share(3), share(6)), at += gap) found.push(at);
  return found;
}

/** What to do with a row after its loss was seen. */
type Verdict = 'go-on' | 'restart-from-best';

/** Step size of one row; reads its losses step by step. */
export interface StepControl {
  stepSize(): number;
  /** Loss at the point reached by the next step, in order. */
  observe(loss: number): Verdict;
}

/**
 * Halves a step size at checkpoints where too few steps raised the loss, or where nothing was gained since the last one.
 *
 * @param marks     - from {@link checkpoints}.
 * @param stepSize  - first step size, 2 eps.
 * @param startLoss - loss at the starting point.
 */
export function createStepControl(variant: ApgdVariant, marks: readonly number[], stepSize: number, startLoss: number): StepControl {
  const original = variant === 'autoattack';
  let size = stepSize;
  let step = 0;
  let best = startLoss;
  let bestAtMark = startLoss;
  // The released code compares the first loss with the still empty last row of its history.
  let previous = original ? 0 : startLoss;
  let rises = 0;
  let markBefore = 0;
  let halvedBefore = true;
  let next = 0;
  return {
    stepSize: () => size,
    observe: (loss) => {
      step++;
      if (loss > previous) rises++;
      previous = loss;
      best = Math.max(best, loss);
      if (step !== marks[next]) return 'go-on';
      const wanted = SHARE * (step - markBefore);
      const oscillates = original ? rises <= wanted : rises < wanted;
      const stuck = !halvedBefore && best <= bestAtMark;
      halvedBefore = oscillates || stuck;
      if (halvedBefore) {
        size /= 2;
        // The released code goes on comparing with the point it has left.
        if (!original) previous = best;
      }
      bestAtMark = best;
      rises = 0;
      markBefore = step;
      next++;
      return halvedBefore ? 'restart-from-best' : 'go-on';
    },
  };
}
