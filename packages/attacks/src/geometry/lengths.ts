/** Sum of the absolute values of a gradient. */
export function lengthL1(gradient: Float32Array): number {
  let total = 0;
  for (let i = 0; i < gradient.length; i++) total += Math.abs(gradient[i]!);
  return total;
}

/** Euclidean length of a gradient. */
export function lengthL2(gradient: Float32Array): number {
  let total = 0;
  for (let i = 0; i < gradient.length; i++) total += gradient[i]! ** 2;
  return Math.sqrt(total);
}

/** Largest absolute value of a gradient. */
export function lengthLinf(gradient: Float32Array): number {
  let most = 0;
  for (let i = 0; i < gradient.length; i++) most = Math.max(most, Math.abs(gradient[i]!));
  return most;
}
