import { ceRow } from './ce-loss.js';
import { cwRow } from './cw-loss.js';
import { dlrRow } from './dlr-loss.js';
import type { RowLoss } from './row-loss.js';

/** Loss that an attack maximises: cross entropy, margin, or difference of logits ratio. */
export type LossName = 'ce' | 'cw' | 'dlr';

export const LOSSES: Readonly<Record<LossName, RowLoss>> = { ce: ceRow, cw: cwRow, dlr: dlrRow };
