import { type LossName, LOSSES } from './losses.js';
import type { RowLoss } from './row-loss.js';
import { targetedRow } from './targeted-loss.js';

/**
 * How near each row is to being taken for a class of its own: minus the loss with that class as the label; for `'dlr'` the targeted difference of logits ratio.
 *
 * @param targets - class of row i, by its number in the attacked batch.
 */
export function goalRow(loss: LossName, targets: Int32Array): RowLoss {
  if (loss === 'dlr') return targetedRow('dlr', targets);
  return (logits, from, classes, _, direction, row) => {
    const away = LOSSES[loss](logits, from, classes, targets[row]!, direction, row);
    for (let j = from; j < from + classes; j++) direction[j] = -direction[j]!;
    return { loss: -away.loss, scale: away.scale };
  };
}
