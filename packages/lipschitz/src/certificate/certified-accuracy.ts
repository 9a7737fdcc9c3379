import { type Interval, expectArgument, expectNumber, wilsonInterval } from '@moe/core';

/** One example as a certified-accuracy curve sees it. */
export interface CertifiedExample {
  /** Whether the predicted class, which the certificate is about, is the true one; false if it abstained. */
  readonly correct: boolean;
  /** Certified radius; see `Certificate.radius`. */
  readonly radius: number;
}

/** One point of a certified-accuracy curve. */
export interface CertifiedAccuracyPoint {
  readonly radius: number;
  /** Share of examples that are right and certified to at least this radius. */
  readonly certifiedAccuracy: number;
  /** Wilson interval at 95 %, for the choice of examples. */
  readonly interval: Interval;
}

/**
 * Share of examples that are classified correctly, and certified to stay so, over the radius.
 *
 * @param radii - where to evaluate, ≥ 0. @defaultValue 0 and every radius at which the share falls
 * @returns In the order of `radii`; plain data, for a table or a line chart.
 *
 * @example
 * certifiedAccuracy([{ correct: true, radius: 0.4 }, { correct: false, radius: 0.9 }], [0, 0.25, 0.5]); // 0.5, 0.5, 0
 */
export function certifiedAccuracy(examples: readonly CertifiedExample[], radii?: readonly number[]): CertifiedAccuracyPoint[] {
  const caller = 'certifiedAccuracy';
  expectArgument(caller, 'examples', examples.length > 0, 'have at least one example', examples.length);
  examples.forEach(({ radius }, i) => expectArgument(caller, `examples[${i}].radius`, radius >= 0, 'be a number ≥ 0', radius));
  radii?.forEach((radius, i) => expectNumber(caller, `radii[${i}]`, radius, 0));
  const steps = examples.flatMap(({ correct, radius }) => (correct && radius < Infinity ? [radius] : []));
  return (radii ?? [...new Set([0, ...steps])].sort((a, b) => a - b)).map((radius) => {
    const certified = examples.filter((example) => example.correct && example.radius >= radius).length;
    return { radius, certifiedAccuracy: certified / examples.length, interval: wilsonInterval(certified, examples.length) };
  });
}
