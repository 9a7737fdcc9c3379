// The law of robustness: interpolants of more parameters may be, and here are, less steep (V10).
import { type Rng, createRng } from '@moe/core';
import { lineChart } from '@moe/report';
import { Matrix } from 'ml-matrix';
import { dot, minNorm, normalMatrix } from './algebra.js';
import { type Outcome, atMost, mean, rising, violations } from './claim.js';

export interface LawOptions {
  readonly examples?: number;
  readonly d?: number;
  readonly widths?: readonly number[];
  readonly probes?: number;
  readonly seeds?: number;
}

/** Rows on the unit sphere. */
function sphere(rng: Rng, rows: number, d: number): Matrix {
  return new Matrix(normalMatrix(rng, rows, d).to2DArray().map((row) => {
    const size = Math.sqrt(dot(row, row));
    return row.map((value) => value / size);
  }));
}

/** Largest gradient, at probes, of the shortest interpolation of ±1 labels by random ReLU features. */
function steepestGradient(seed: number, width: number, { examples = 120, d = 20, probes = 4000 }: LawOptions): number {
  const rng = createRng(10).at(seed);
  const inputs = sphere(rng.stream('inputs'), examples, d);
  const labels = Matrix.columnVector(Array.from(rng.stream('labels').uniform(examples), (value) => (value < 0.5 ? -1 : 1)));
  const features = normalMatrix(rng.stream('features').at(width), width, d);
  const hidden = new Matrix(inputs.mmul(features.transpose()).to2DArray().map((row) => row.map((value) => Math.max(0, value))));
  const weights = minNorm(hidden, labels).to1DArray();
  const points = [...inputs.to2DArray(), ...sphere(rng.stream('probes'), probes, d).to2DArray()];
  const rows = features.to2DArray();
  return Math.max(...points.map((point) => {
    const gradient = new Float64Array(d);
    rows.forEach((row, j) => {
      if (dot(row, point) <= 0) return;
      for (let at = 0; at < d; at++) gradient[at]! += weights[j]! * row[at]!;
    });
    return Math.sqrt(dot(gradient, gradient));
  }));
}

/** The bound in the form of Bubeck & Sellke (2021): √(n d / p) times a constant; with √d inside, c √(n / N) here. */
const LAW_CONSTANT = 19;

export function lawOfRobustness(options: LawOptions = {}): Outcome {
  const { examples = 120, widths = [150, 200, 300, 600, 1200, 2400, 4800], seeds = 3 } = options;
  const rows = widths.map((width) => ({
    width,
    steepest: mean(Array.from({ length: seeds }, (_, seed) => steepestGradient(seed, width, options))),
    law: LAW_CONSTANT * Math.sqrt(examples / width),
  }));
  const last = rows.slice(-2).map(({ steepest }) => steepest);
  return {
    rows,
    checks: [
      rising('steepest gradient, from the widest to the narrowest', rows.map(({ steepest }) => steepest).toReversed()),
      violations('widths below 19 √(n/N)', rows.filter(({ steepest, law }) => steepest < law).length),
      atMost('fall of the last doubling: the limit of the kernel', (last[0]! - last[1]!) / last[0]!, 0.1),
    ],
    figures: [
      lineChart({
        title: `Steepest gradient of a minimum-norm interpolant of ${examples} random labels`,
        series: [{ name: 'measured', points: rows.map(({ width, steepest }) => ({ x: Math.log2(width), y: steepest })) }, { name: '19 √(n/N)', points: rows.map(({ width, law }) => ({ x: Math.log2(width), y: law })) }],
        xTitle: 'log2 of the features',
        yTitle: 'largest gradient',
      }),
    ],
  };
}
