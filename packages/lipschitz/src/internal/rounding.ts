/** Half the distance from 1 to the next float64: the relative error of one rounded operation. */
export const UNIT = 2 ** -53;

/** A non-negative value moved outward by the rounding of `operations` float64 operations. */
export const roundUp = (value: number, operations: number): number => value * (1 + (operations + 2) * UNIT);

/** A non-negative value moved inward by the rounding of `operations` float64 operations. */
export const roundDown = (value: number, operations: number): number => value * (1 - (operations + 2) * UNIT);
