/** AutoAttack's rule, checks.py: entries in [−1e-5, 1 + 1e-5] that sum to 1 within 1e-5. */
export const isDistribution = (row: Float32Array): boolean =>
  row.every((value) => value > -1e-5 && value < 1 + 1e-5) && Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-5;

/** Whether a row is the logarithm of a distribution, by the same tolerances. */
export const isLogDistribution = (row: Float32Array): boolean =>
  row.every((value) => value < 1e-5) && Math.abs(row.reduce((a, b) => a + Math.exp(b), 0) - 1) < 1e-5;

/** Most significant bits of any value: 24 in float32, 11 in half precision, 8 in bfloat16. */
export function significantBits(values: Float32Array): number {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const fractions = words.reduce((seen, word) => seen | (word & 0x7fffff), 0);
  return fractions === 0 ? 1 : 24 - (31 - Math.clz32(fractions & -fractions));
}
