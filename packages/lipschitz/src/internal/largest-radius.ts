const DOUBLINGS = 60;
const HALVINGS = 40;

/**
 * A radius at which a proof succeeds, close to the largest.
 *
 * @remarks
 * Whatever it returns was proved at that very radius, or is 0; that proofs get harder with the radius is only needed to come close to the largest one.
 */
export function largestRadius(proved: (radius: number) => boolean, limit: number, start: number): number {
  if (proved(limit)) return limit;
  let low = 0;
  let high = Math.min(limit, start);
  for (let i = 0; i < DOUBLINGS && high < limit && proved(high); i++) [low, high] = [high, Math.min(limit, 2 * high)];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (proved(middle)) low = middle;
    else high = middle;
  }
  return low;
}
