import { type BestPoints, type Task, rowOf } from './problem.js';

/** When a row is finished: as soon as it is misclassified, or never before the last step. */
export type Goal = 'misclassify' | 'maxLoss';

/** Best points before anything was measured: the clean inputs. */
export const createBest = ({ inputs, rows }: Task): BestPoints => ({
  points: inputs.slice(),
  loss: new Float64Array(rows).fill(-Infinity),
  wrong: new Uint8Array(rows),
});

/**
 * Takes over each measured point that beats its row's best.
 *
 * @param rule   - `'misclassify'`: the first misclassified point wins for good, until then the highest loss; `'latest'`: as that, but later
 * misclassified points replace it; `'maxLoss'`: the highest loss wins.
 * @param frozen - 1 for rows to leave alone.
 * @returns Mean loss over the rows still attacked when they were measured.
 */
export function keepBest(
  { size }: Task,
  best: BestPoints,
  points: Float32Array,
  batch: readonly number[],
  measured: { readonly loss: Float64Array; readonly wrong: Uint8Array },
  rule: Goal | 'latest',
  frozen: Uint8Array = best.wrong,
): number {
  let total = 0;
  let count = 0;
  batch.forEach((row, i) => {
    if (rule !== 'maxLoss' && (rule === 'misclassify' ? best.wrong : frozen)[row] === 1) return;
    const loss = measured.loss[i]!;
    total += loss;
    count++;
    const found = rule !== 'maxLoss' && measured.wrong[i] === 1;
    const known = rule === 'latest' && best.wrong[row] === 1;
    if (!found && (known || loss <= best.loss[row]!)) return;
    best.loss[row] = loss;
    best.wrong[row] = measured.wrong[i]!;
    rowOf(best.points, row, size).set(rowOf(points, row, size));
  });
  return count === 0 ? 0 : total / count;
}
