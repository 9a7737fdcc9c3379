import type { OperatorNorm } from '@moe/core';

/** How much faster than a vector, in the norm of its bound, the difference of two of its entries may change: the dual norm of `e_a − e_b`. */
export const PAIR_FACTOR: Readonly<Record<OperatorNorm, number>> = { L2: Math.SQRT2 * (1 + 2 ** -52), Linf: 2, L1: 1 };
