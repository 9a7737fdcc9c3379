// Clusters in orthogonal blocks, routed by their centres, end to end (V8).
import { type Rng, createRng } from '@moe/core';
import { regionCertificate } from '@moe/lipschitz';
import { lineChart } from '@moe/report';
import { Matrix } from 'ml-matrix';
import { column, distance, dot, length, parts, reflectedBasis, ridge, stack } from './algebra.js';
import { type Outcome, atLeast, atMost, mean, near } from './claim.js';
import { effectiveExperts } from './fixed-routing.js';
import { radiusOf } from './routing-margin.js';

/** Orthonormal block of each cluster: its first row is the direction of the centre, noise lives in the others. */
interface Geometry {
  readonly blocks: readonly Matrix[];
  /** Classifies the noise, `[E][block − 1]`. */
  readonly teachers: readonly ArrayLike<number>[];
}

function geometryOf(rng: Rng, numExperts: number, block: number): Geometry {
  return {
    blocks: parts(reflectedBasis(rng.stream('basis'), numExperts * block), block),
    teachers: Array.from({ length: numExperts }, (_, i) => rng.stream('teacher').at(i).normal(block - 1)),
  };
}

/** Inputs R bᵢ₀ + noise of variance 1 / (block − 1) a direction, labels by the teacher, `[count,d]` and `[count,1]`. */
function clusterSample(rng: Rng, { blocks, teachers }: Geometry, cluster: number, count: number, R: number): { readonly inputs: Matrix; readonly labels: Matrix } {
  const [block, teacher] = [blocks[cluster]!, teachers[cluster]!];
  const free = block.rows - 1;
  const noise = Matrix.from1DArray(count, free, Array.from(rng.normal(count * free, 0, Math.sqrt(1 / free))));
  const centres = Matrix.ones(count, 1).mul(R);
  const coordinates = new Matrix(centres.to2DArray().map((row, i) => [...row, ...noise.getRow(i)]));
  return { inputs: coordinates.mmul(block), labels: column(noise.to2DArray().map((row) => Math.sign(dot(teacher, row)))) };
}

export interface ClustersOptions {
  readonly numExperts?: number;
  readonly block?: number;
  readonly trainPerCluster?: number;
  readonly testPerCluster?: number;
  readonly lambda?: number;
  readonly seeds?: number;
}

const EPS = [0.05, 0.1, 0.2, 0.3];
/** Clean, then at the radii above, of one draw by a program of its own in NumPy. */
const NUMPY = { dense: [0.932, 0.567, 0.264, 0.026, 0.001], moe: [0.932, 0.815, 0.683, 0.427, 0.234], dense_slope: 8.8, slope: 3.1 };

/** One draw: slopes, and of every test example the margin over the slope and the route radius. */
function draw(seed: number, R: number, { numExperts = 8, block = 16, trainPerCluster = 200, testPerCluster = 500, lambda = 1e-2 }: ClustersOptions) {
  const rng = createRng(8).at(seed);
  const geometry = geometryOf(rng, numExperts, block);
  const sample = (name: string, count: number) => geometry.blocks.map((_, i) => clusterSample(rng.stream(name).at(i), geometry, i, count, R));
  const train = sample('train', trainPerCluster);
  const dense = ridge(stack(train.map(({ inputs }) => inputs)), stack(train.map(({ labels }) => labels)), lambda);
  const experts = train.map(({ inputs, labels }) => ridge(inputs, labels, lambda));
  const slopes = experts.map(length);
  const router = geometry.blocks.map((rows) => rows.getRow(0).map((value) => R * value));
  const examples = sample('test', testPerCluster).flatMap(({ inputs, labels }, cluster) => {
    const [byDense, byExpert] = [inputs.mmul(dense), inputs.mmul(experts[cluster]!)];
    const gaps = router.map((row) => ({ row, scores: inputs.mmul(column(row)) }));
    return inputs.to2DArray().map((input, i) => {
      const label = labels.get(i, 0);
      const own = gaps[cluster]!;
      const route = Math.min(...gaps.filter((gap) => gap !== own).map((gap) => (own.scores.get(i, 0) - gap.scores.get(i, 0)) / distance(column(own.row), column(gap.row))));
      return { input, cluster, dense: (label * byDense.get(i, 0)) / length(dense), margin: (label * byExpert.get(i, 0)) / slopes[cluster]!, route };
    });
  });
  return { dense, experts, slopes, router, examples, summed: distance(dense, experts.reduce((sum, expert) => Matrix.add(sum, expert))) };
}

type Draw = ReturnType<typeof draw>;
const share = ({ examples }: Draw, holds: (example: Draw['examples'][number]) => boolean): number => examples.filter(holds).length / examples.length;

/** Largest difference of the closed form from the certificate of the package, over some examples. */
function certificateError({ examples, router, experts, slopes }: Draw, count: number): number {
  const every = Math.max(1, Math.floor(examples.length / count));
  return Math.max(...examples.filter((_, i) => i % every === 0).map(({ input, cluster, route }) => {
    const scores = Math.abs(dot(experts[cluster]!.to1DArray(), input));
    const bound = { value: slopes[cluster]!, status: 'exact', norm: 'L2', domain: 'global', method: 'linear' } as const;
    const { radius } = regionCertificate({ routes: [radiusOf(router, input, 1, 'L2')], margins: [scores], bounds: bound });
    return Math.abs(radius - Math.min(route, scores / slopes[cluster]!));
  }));
}

/** Dense ridge regression against one expert a cluster: same clean accuracy, √E less steep, and radii that routing cuts off only where centres are near. */
export function clusterExperts(options: ClustersOptions = {}): Outcome {
  const { seeds = 5, numExperts = 8, block = 16 } = options;
  const [far, close] = [2, 0.5].map((R) => Array.from({ length: seeds }, (_, seed) => draw(seed, R, options))) as [Draw[], Draw[]];
  const accuracies = (draws: readonly Draw[], radius: (example: Draw['examples'][number]) => number): number[] => [0, ...EPS, 0.4].map((eps) => mean(draws.map((one) => share(one, (example) => radius(example) > eps))));
  const dense = accuracies(far, (example) => example.dense);
  const moe = accuracies(far, ({ margin, route }) => Math.min(margin, route));
  const cut = accuracies(close, ({ margin, route }) => Math.min(margin, route));
  const uncut = accuracies(close, ({ margin }) => margin);
  const rows = [0, ...EPS, 0.4].map((eps, i) => ({ eps, dense: dense[i]!, moe: moe[i]!, 'moe, R = 0.5': cut[i]!, 'margin alone, R = 0.5': uncut[i]! }));
  const full = numExperts === 8 && block === 16;
  const steep = mean(far.map((one) => length(one.dense)));
  const least = (draws: readonly Draw[]): number => Math.min(...draws.flatMap(({ examples }) => examples.map(({ route }) => route)));
  return {
    rows,
    checks: [
      atMost('largest ‖w − Σ wᵢ‖', Math.max(...far.map(({ summed }) => summed)), 1e-9),
      atMost('largest |ratio − √E_eff|', Math.max(...far.map((one) => Math.abs(length(one.dense) / Math.max(...one.slopes) - Math.sqrt(effectiveExperts(one.slopes))))), 1e-9),
      near('dense slope over the rms slope of the experts', steep / mean(far.map(({ slopes }) => Math.sqrt(mean(slopes.map((slope) => slope ** 2))))), Math.sqrt(numExperts), 1e-3),
      near('least route radius, R = 2', least(far), 2 / Math.SQRT2, 1e-9),
      near('least route radius, R = 0.5', least(close), 0.5 / Math.SQRT2, 1e-9),
      atMost('largest error of the certificate of the package', certificateError(far[0]!, 100), 1e-9),
      near('clean accuracy of the MoE less that of the dense model', moe[0]! - dense[0]!, 0, 1e-9),
      atMost('R = 0.5: share certified at 0.4, beyond R/√2', cut.at(-1)!, 0),
      atLeast('… that margins alone would promise', uncut.at(-1)!, 0.01),
      ...(full ? [near('dense slope', steep, NUMPY.dense_slope, 0.3), near('mean slope of the experts', mean(far.flatMap(({ slopes }) => slopes)), NUMPY.slope, 0.1)] : []),
      ...(full ? [0, ...EPS].flatMap((eps, i) => [near(`dense accuracy at ${eps}`, dense[i]!, NUMPY.dense[i]!, 0.03), near(`MoE accuracy at ${eps}`, moe[i]!, NUMPY.moe[i]!, 0.03)]) : []),
    ],
    figures: [
      lineChart({
        title: 'Accuracy that no perturbation of this length takes away (exact)',
        series: (['dense', 'moe', 'moe, R = 0.5'] as const).map((name) => ({ name, points: rows.map((row) => ({ x: row.eps, y: row[name] })) })),
        xTitle: 'eps (L2)',
        yTitle: 'accuracy',
        yFormat: 'percent',
      }),
    ],
  };
}
