// Differentiable routing: the two terms of the gradient, and what bounds them (V5, V6).
import { type Rng, createRng } from '@moe/core';
import { affineScores, localSoftmaxMixtureBound } from '@moe/lipschitz';
import { lineChart } from '@moe/report';
import { dot } from './algebra.js';
import { type Outcome, atMost, near, violations } from './claim.js';
import { type MixtureHere, type Selection, doubtBound, gradientBounds, gradientTerms, softmax, weightsOf } from './mixture.js';

/** Experts a·x + sin(b·x) + c behind a linear router. */
function randomMixture(rng: Rng, numExperts: number, d: number, temperature: number) {
  const vectors = (): Float32Array[] => Array.from({ length: numExperts }, () => rng.normal(d));
  const [linear, waves, router, offsets] = [vectors(), vectors(), vectors(), rng.normal(numExperts)];
  const scores = (x: ArrayLike<number>): number[] => router.map((row) => dot(row, x));
  const values = (x: ArrayLike<number>): number[] => linear.map((a, i) => dot(a, x) + Math.sin(dot(waves[i]!, x)) + offsets[i]!);
  return {
    here: (x: ArrayLike<number>): MixtureHere => ({
      values: values(x),
      gradients: linear.map((a, i) => Array.from(a, (value, at) => value + Math.cos(dot(waves[i]!, x)) * waves[i]![at]!)),
      router,
      scores: scores(x),
      temperature,
    }),
    value: (x: ArrayLike<number>, selection: Selection): number => dot(weightsOf(scores(x), temperature, selection), values(x)),
  };
}

const STEP = 1e-5;
const TEMPERATURES = [0.5, 1, 2];
const COUNTS = [2, 3, 5, 8];

/** Largest difference of a gradient from central differences. */
function gradientError(mixture: ReturnType<typeof randomMixture>, x: Float64Array, selection: Selection): number {
  const { expert, router } = gradientTerms(mixture.here(x), selection);
  return Math.max(...expert.map((value, d) => {
    const moved = (by: number): number => mixture.value(x.map((coordinate, at) => (at === d ? coordinate + by : coordinate)), selection);
    return Math.abs(value + router[d]! - (moved(STEP) - moved(-STEP)) / (2 * STEP));
  }));
}

/** Gradient terms against central differences, and G1 to G3 on random mixtures. */
export function gradientDecomposition({ draws = 200, d = 6 }: { readonly draws?: number; readonly d?: number } = {}): Outcome {
  const found = Array.from({ length: draws }, (_, draw) => {
    const rng = createRng(5).at(draw);
    const [numExperts, temperature] = [COUNTS[draw % COUNTS.length]!, TEMPERATURES[draw % TEMPERATURES.length]!];
    const mixture = randomMixture(rng, numExperts, d, temperature);
    const x = Float64Array.from(rng.normal(d));
    const here = mixture.here(x);
    const gates = softmax(here.scores, temperature);
    const [first = 0, second = 0] = here.scores.toSorted((a, b) => b - a);
    const bounds = gradientBounds(here);
    const experts = here.gradients.map((gradient) => ({ value: Math.sqrt(dot(gradient, gradient)), status: 'upper', norm: 'L2', domain: { norm: 'L2', radius: 0 }, method: 'gradient' }) as const);
    const kernel = { shape: [d, numExperts], values: Float64Array.from({ length: d * numExperts }, (_value, at) => here.router[at % numExperts]![Math.floor(at / numExperts)]! / temperature) };
    return {
      error: gradientError(mixture, x, { topK: numExperts, renormalise: true }),
      renormalised: gradientError(mixture, x, { topK: 2, renormalise: true }),
      plain: gradientError(mixture, x, { topK: 2, renormalise: false }),
      bounds,
      doubt: 1 - Math.max(...gates) - doubtBound(numExperts, (first - second) / temperature),
      certified: localSoftmaxMixtureBound({ scores: affineScores({ kernel, input: x }), outputs: here.values.map((value) => [value]), experts }, 0).value,
    };
  });
  const slack = 1e-12;
  const most = (pick: (draw: (typeof found)[number]) => number): number => Math.max(...found.map(pick));
  const count = (breaks: (draw: (typeof found)[number]) => boolean): number => found.filter(breaks).length;
  const margins = [0, 2, 4, 8];
  return {
    rows: margins.map((margin) => ({ margin, 'most of 1 − p_max, 8 experts': doubtBound(8, margin) })),
    checks: [
      atMost('all experts: largest error against central differences', most(({ error }) => error), 1e-8),
      atMost('top-2, renormalised', most(({ renormalised }) => renormalised), 1e-8),
      atMost('top-2, gates as they are (V-MoE)', most(({ plain }) => plain), 1e-8),
      violations('G1, ‖router term‖ ≤ sd(f) sd(s) / τ', count(({ bounds }) => bounds.router > bounds.deviations + slack)),
      violations('G1, … ≤ Δ D (1 − p_max) / τ', count(({ bounds }) => bounds.deviations > bounds.spread + slack)),
      violations('G2, 1 − p_max ≤ a / (1 + a)', count(({ doubt }) => doubt > slack)),
      violations('G3, ‖∇f‖ ≤ max ‖∇fᵢ‖ + Δ D (1 − p_max) / τ', count(({ bounds }) => bounds.gradient > bounds.slope + slack)),
      violations('bound of the package at the input below ‖∇f‖, or above G3', count(({ bounds, certified }) => certified < bounds.gradient || certified > bounds.slope * (1 + 1e-9))),
      ...[0.875, 0.486, 0.114, 0.0023].map((expected, i) => near(`G2 with 8 experts and lead ${margins[i]}`, doubtBound(8, margins[i]!), expected, expected < 0.01 ? 5e-5 : 5e-4)),
    ],
    figures: [],
  };
}

/** Steepest slope of a mixture of two lines 0.3 x ± Δ/2 behind a router ±x / τ, by central differences on a grid. */
function steepest(difference: number, temperature: number): number {
  const f = (x: number): number => {
    const [first = 0, second = 0] = softmax([x, -x], temperature);
    return first * (0.3 * x + difference / 2) + second * (0.3 * x - difference / 2);
  };
  const step = 1e-4 * temperature;
  return Math.max(...Array.from({ length: 2001 }, (_, i) => {
    const x = (i / 1000 - 1) * 3 * temperature;
    return (f(x + step) - f(x - step)) / (2 * step);
  }));
}

/** Two experts that meet: the slope at the boundary grows with their difference over the temperature. */
export function boundarySlope(): Outcome {
  const cases = [[1, 1], [1, 0.25], [1, 0.05], [4, 0.25], [0, 1], [0, 0.25], [0, 0.05]] as const;
  const rows = cases.map(([difference, temperature]) => ({ difference, temperature, slope: steepest(difference, temperature), formula: 0.3 + difference / (2 * temperature) }));
  const temperatures = [1, 0.5, 0.25];
  const differences = [0, 0.5, 1, 2, 3, 4];
  const series = temperatures.map((temperature) => ({ name: `temperature ${temperature}`, points: differences.map((difference) => ({ x: difference, y: steepest(difference, temperature) })) }));
  return {
    rows,
    checks: rows.map(({ difference, temperature, slope, formula }) => near(`steepest slope, Δ = ${difference}, τ = ${temperature}`, slope, formula, 1e-6)),
    figures: [lineChart({ title: 'Steepest slope of a softmax mixture of two experts of slope 0.3', series, xTitle: 'difference of the experts at the boundary', yTitle: 'slope' })],
  };
}
