/** Batch sizes that are run; few, because some engines compile anew for each shape. */
const SIZES = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128];

/** The smallest known batch size that holds so many rows. */
export const paddedSize = (active: number): number => SIZES.find((size) => size >= active) ?? Math.ceil(active / 64) * 64;

/**
 * Rows to run next: all that are still active, filled up with finished rows to a known batch size.
 *
 * @param current - rows of the last pass.
 * @param active  - tells whether a row is still attacked.
 * @returns `current` itself unless a smaller batch holds every active row.
 */
export function compactRows(current: readonly number[], active: (row: number) => boolean): readonly number[] {
  const left = current.filter(active);
  const size = left.length === 0 ? 0 : paddedSize(left.length);
  if (size >= current.length) return current;
  const filler = current.filter((row) => !active(row)).slice(0, size - left.length);
  return [...left, ...filler];
}
