import { type BestPoints, type Task, rowOf } from './problem.js';

/** When a row is finished, and with which point: at the first that is misclassified (or taken for its target), or after the last step with that of highest loss or the last one. */
export type Goal = 'misclassify' | 'maxLoss' | 'lastStep';

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
 * misclassified points replace it; `'maxLoss'`: the highest loss wins; `'lastStep'`: the point measured last.
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
  const untilEnd = rule === 'maxLoss' || rule === 'lastStep';
  batch.forEach((row, i) => {
    if (!untilEnd && (rule === 'misclassify' ? best.wrong : frozen)[row] === 1) return;
    const loss = measured.loss[i]!;
    total += loss;
    count++;
    const found = rule === 'lastStep' || (!untilEnd && measured.wrong[i] === 1);
    const known = rule === 'latest' && best.wrong[row] === 1;
    if (!found && (known || loss <= best.loss[row]!)) return;
    best.loss[row] = loss;
    best.wrong[row] = measured.wrong[i]!;
    rowOf(best.points, row, size).set(rowOf(points, row, size));
  });
  return count === 0 ? 0 : total / count;
}
