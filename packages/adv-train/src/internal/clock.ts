/** Estimates the time left from the steps done since this call; only for display, so it may read the clock. */
export function estimateLeft(stepsLeft: () => number): () => number {
  const start = performance.now();
  const stepsAtStart = stepsLeft();
  return () => {
    const left = stepsLeft();
    return left === stepsAtStart ? 0 : ((performance.now() - start) / (stepsAtStart - left)) * left;
  };
}
