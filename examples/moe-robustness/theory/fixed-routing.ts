// Linear experts, each interpolating the examples that a fixed router sends it, against one dense interpolant (V1 to V4).
import { createRng } from '@moe/core';
import { lineChart } from '@moe/report';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { column, distance, length, minNorm, normalMatrix, parts, reflectedBasis, ridge, rowSpace, stack } from './algebra.js';
import { type Check, type Outcome, atMost, mean, near, rising, rms, violations } from './claim.js';

/** How many experts of equal slope the ratio of Lipschitz constants amounts to: Σ ‖wᵢ‖² / max ‖wᵢ‖², from 1 to E. */
export function effectiveExperts(slopes: readonly number[]): number {
  return slopes.reduce((sum, slope) => sum + slope * slope, 0) / Math.max(...slopes) ** 2;
}

/** The dense interpolant and those of the experts, `[n,d]` and `[n,1]` of each. */
function interpolants(inputs: readonly Matrix[], targets: readonly Matrix[]) {
  const dense = minNorm(stack(inputs), stack(targets));
  const experts = inputs.map((rows, i) => minNorm(rows, targets[i]!));
  const slopes = experts.map(length);
  return { dense, experts, slopes, ratio: length(dense) / Math.max(...slopes) };
}

/** P2 where all experts are alike: orthogonal blocks of four examples with labels +1, −1, +1, −1. */
export function orthogonalBlocks({ numExperts = [2, 4, 9, 16, 25] }: { readonly numExperts?: readonly number[] } = {}): Outcome {
  const rows = numExperts.map((experts) => {
    const inputs = parts(reflectedBasis(createRng(1).at(experts), 4 * experts), 4);
    const { ratio } = interpolants(inputs, inputs.map(() => column([1, -1, 1, -1])));
    return { experts, ratio, expected: Math.sqrt(experts) };
  });
  return { rows, checks: rows.map(({ experts, ratio, expected }) => near(`ratio with ${experts} experts`, ratio, expected, 1e-9)), figures: [] };
}

const BLOCK = 16;
const BLOCK_ROWS = 12;

/** One draw of nearly orthogonal blocks: bases √(1−c) Bᵢ + √c B with all principal cosines c, Gaussian rows and labels. */
function coherentBlocks(experts: number, cosine: number) {
  const rng = createRng(2).at(experts, Math.round(100 * cosine));
  const [shared, ...own] = parts(reflectedBasis(rng, BLOCK * (experts + 1)), BLOCK) as [Matrix, ...Matrix[]];
  const inputs = own.map((basis) => normalMatrix(rng, BLOCK_ROWS, BLOCK).mmul(Matrix.add(Matrix.mul(basis, Math.sqrt(1 - cosine)), Matrix.mul(shared, Math.sqrt(cosine)))));
  const { dense, experts: weights, slopes, ratio } = interpolants(inputs, inputs.map(() => normalMatrix(rng, BLOCK_ROWS, 1)));
  const spaces = inputs.map(rowSpace);
  const projected = spaces.map((space) => space.transpose().mmul(space.mmul(dense)));
  const all = stack(spaces);
  const spectrum = new EigenvalueDecomposition(all.mmul(all.transpose()), { assumeSymmetric: true }).realEigenvalues;
  const effective = effectiveExperts(slopes);
  const [least, most] = [Math.min(...spectrum), Math.max(...spectrum)];
  return {
    experts,
    cosine,
    ratio,
    effective,
    low: Math.sqrt(effective / most),
    high: Math.sqrt(effective / least),
    least,
    most,
    identity: Math.max(...weights.map((weight, i) => distance(weight, projected[i]!))),
    shortest: Math.max(...slopes) <= length(dense) * (1 + 1e-12) ? 1 : 0,
  };
}

/** P1 and P3: an expert is the projection of the dense interpolant, and the ratio follows E_eff within the spectrum of the blocks' Gram matrix. */
export function nearlyOrthogonalBlocks({ numExperts = [2, 4, 8, 16, 32], cosines = [0, 0.05, 0.2] }: { readonly numExperts?: readonly number[]; readonly cosines?: readonly number[] } = {}): Outcome {
  const rows = numExperts.flatMap((experts) => cosines.map((cosine) => coherentBlocks(experts, cosine)));
  const slack = 1e-9;
  const checks: Check[] = [
    atMost('largest ‖wᵢ − Pᵢ w‖', Math.max(...rows.map(({ identity }) => identity)), 1e-12),
    violations('draws in which an expert is steeper than the dense interpolant', rows.filter(({ shortest }) => shortest === 0).length),
    violations('ratios outside √(E_eff / λ) of the spectrum', rows.filter(({ ratio, low, high }) => ratio < low - slack || ratio > high + slack).length),
    violations('spectra outside 1 ± (E − 1) c', rows.filter(({ experts, cosine, least, most }) => least < 1 - (experts - 1) * cosine - slack || most > 1 + (experts - 1) * cosine + slack).length),
    atMost('at c = 0, largest |ratio − √E_eff|', Math.max(...rows.filter(({ cosine }) => cosine === 0).map(({ ratio, effective }) => Math.abs(ratio - Math.sqrt(effective)))), 1e-9),
  ];
  const series = cosines.map((cosine) => ({ name: `cosine ${cosine}`, points: rows.filter((row) => row.cosine === cosine).map(({ experts, ratio }) => ({ x: experts, y: ratio })) }));
  const ideal = { name: 'equal slopes, orthogonal: √E', points: numExperts.map((experts) => ({ x: experts, y: Math.sqrt(experts) })) };
  return { rows, checks, figures: [lineChart({ title: 'Lipschitz constant of the dense interpolant over that of the steepest expert', series: [ideal, ...series], xTitle: 'experts', yTitle: 'ratio' })] };
}

/** P5 as the formula has it. */
const isotropicRatio = (n: number, d: number, experts: number): number => Math.sqrt((experts * (d - n / experts - 1)) / (d - n - 1));

interface IsotropicCase {
  readonly examples: number;
  readonly experts: number;
}

/** P5: random labels of isotropic inputs in the interpolation regime, split at random. */
export function interpolationRegime({ d = 256, seeds = 40, cases = [[32, 4], [128, 8], [192, 2], [240, 4]].map(([examples, experts]) => ({ examples: examples!, experts: experts! })) }: { readonly d?: number; readonly seeds?: number; readonly cases?: readonly IsotropicCase[] } = {}): Outcome {
  const rows = cases.map(({ examples, experts }) => {
    const draws = Array.from({ length: seeds }, (_, seed) => {
      const rng = createRng(3).at(examples, experts, seed);
      const inputs = normalMatrix(rng, examples, d);
      const targets = normalMatrix(rng, examples, 1);
      const { dense, slopes } = interpolants(parts(inputs, examples / experts), parts(targets, examples / experts));
      return { dense: length(dense), slopes };
    });
    const ratio = rms(draws.map(({ dense }) => dense)) / rms(draws.flatMap(({ slopes }) => slopes));
    return { examples, experts, ratio, formula: isotropicRatio(examples, d, experts), root: Math.sqrt(experts) };
  });
  return { rows, checks: rows.map(({ examples, experts, ratio, formula }) => near(`ratio of rms slopes, ${examples} examples, ${experts} experts`, ratio, formula, 0.1 * formula)), figures: [] };
}

/** What a program of its own in NumPy found for the mean of the largest slope. */
const NUMPY_STEEPEST: Readonly<Record<number, number>> = { 1: 1.02, 2: 1.06, 4: 1.13, 8: 1.3, 16: 1.79 };

/** P4: without structure in the data, and more examples than features, splitting makes experts steeper. */
export function noStructure({ n = 1024, d = 32, seeds = 40, numExperts = [1, 2, 4, 8, 16] }: { readonly n?: number; readonly d?: number; readonly seeds?: number; readonly numExperts?: readonly number[] } = {}): Outcome {
  const draws = Array.from({ length: seeds }, (_, seed) => {
    const rng = createRng(4).at(seed);
    const direction = normalMatrix(rng, d, 1);
    const inputs = normalMatrix(rng, n, d);
    return { inputs, targets: inputs.mmul(direction.div(length(direction))).add(normalMatrix(rng, n, 1)) };
  });
  const rows = numExperts.map((experts) => {
    const slopes = draws.map(({ inputs, targets }) => parts(inputs, n / experts).map((rows, i) => length(ridge(rows, parts(targets, n / experts)[i]!, 0))));
    return { experts, steepest: mean(slopes.map((some) => Math.max(...some))), rms: rms(slopes.flat()), formula: Math.sqrt(1 + d / (n / experts - d - 1)) };
  });
  return {
    rows,
    checks: [
      ...rows.map(({ experts, rms: found, formula }) => near(`rms slope with ${experts} experts`, found, formula, 0.03 * formula)),
      ...rows.flatMap(({ experts, steepest }) => (NUMPY_STEEPEST[experts] === undefined || n !== 1024 ? [] : [near(`mean of the steepest of ${experts}`, steepest, NUMPY_STEEPEST[experts], 0.04)])),
      rising('the steepest expert, with the number of experts', rows.map(({ steepest }) => steepest)),
    ],
    figures: [],
  };
}
