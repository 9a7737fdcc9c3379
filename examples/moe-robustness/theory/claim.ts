import type { Figure } from '@moe/report';

/** Something measured that a statement says something of. */
export interface Check {
  readonly what: string;
  readonly value: number;
  /** In words: what must hold of the value. */
  readonly expected: string;
  readonly holds: boolean;
}

/** A row of measurements. */
export type Row = Readonly<Record<string, number | string>>;

/** What came of testing one claim. */
export interface Outcome {
  readonly rows: readonly Row[];
  readonly checks: readonly Check[];
  readonly figures: readonly Figure[];
}

/** One claim of the theory. */
export interface Claim {
  /** As in the README. */
  readonly id: string;
  readonly statement: string;
  /** At full size. */
  readonly run: () => Outcome | Promise<Outcome>;
}

const shown = (value: number): string => (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e4) ? value.toExponential(0) : String(Number(value.toPrecision(6))));

export const near = (what: string, value: number, expected: number, tolerance: number): Check => ({
  what,
  value,
  expected: `${shown(expected)} ± ${shown(tolerance)}`,
  holds: Math.abs(value - expected) <= tolerance,
});

export const atMost = (what: string, value: number, limit: number): Check => ({ what, value, expected: `at most ${shown(limit)}`, holds: value <= limit });

export const atLeast = (what: string, value: number, limit: number): Check => ({ what, value, expected: `at least ${shown(limit)}`, holds: value >= limit });

/** Every value above the one before; the value shown is the smallest step. */
export const rising = (what: string, values: readonly number[]): Check => {
  const steps = values.slice(1).map((value, i) => value - values[i]!);
  return { what, value: Math.min(...steps), expected: 'every step above 0', holds: steps.every((step) => step > 0) };
};

/** Cases that break a rule. */
export const violations = (what: string, count: number): Check => ({ what, value: count, expected: 'none', holds: count === 0 });

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
export const rms = (values: readonly number[]): number => Math.sqrt(mean(values.map((value) => value * value)));
