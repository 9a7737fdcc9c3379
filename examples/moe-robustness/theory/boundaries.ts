// Hard routing: what crossing boundaries costs (V9), and how far the output jumps there (H3).
import { type Rng, createRng } from '@moe/core';
import { jumpBound, routeJump } from '@moe/lipschitz';
import { dot } from './algebra.js';
import { type Outcome, atMost, near, violations } from './claim.js';

interface Affine {
  readonly slope: Float32Array;
  readonly offset: number;
}

/** Affine experts behind a linear top-1 router. */
interface RoutedAffine {
  readonly router: readonly Float32Array[];
  readonly experts: readonly Affine[];
}

const randomModel = (rng: Rng, numExperts: number, d: number): RoutedAffine => ({
  router: Array.from({ length: numExperts }, () => rng.normal(d)),
  experts: Array.from({ length: numExperts }, () => ({ slope: rng.normal(d), offset: rng.normal(1)[0]! })),
});

const valueOf = ({ slope, offset }: Affine, x: ArrayLike<number>): number => dot(slope, x) + offset;
const routeOf = ({ router }: RoutedAffine, x: ArrayLike<number>): number => {
  const scores = router.map((row) => dot(row, x));
  return scores.indexOf(Math.max(...scores));
};

/** Where the straight way from x to y changes cells: the upper envelope of the scores, which are linear along it. */
export function crossings(model: RoutedAffine, x: Float64Array, y: Float64Array): { readonly at: Float64Array; readonly from: number; readonly to: number }[] {
  const start = model.router.map((row) => dot(row, x));
  const rise = model.router.map((row, i) => dot(row, y) - start[i]!);
  const found = [];
  for (let cell = routeOf(model, x), time = 0; ; ) {
    const overtaken = rise.flatMap((slope, j) => (slope > rise[cell]! ? [{ j, when: Math.max(time, (start[cell]! - start[j]!) / (slope - rise[cell]!)) }] : []));
    const next = overtaken.reduce<{ j: number; when: number } | undefined>((best, other) => (best === undefined || other.when < best.when ? other : best), undefined);
    if (next === undefined || next.when >= 1) return found;
    found.push({ at: x.map((value, d) => value + next.when * (y[d]! - value)), from: cell, to: next.j });
    [cell, time] = [next.j, next.when];
  }
}

/** H1: |f(x) − f(y)| ≤ max L ‖x − y‖ + the jumps on the way; each cell is entered once at most. */
export function pathBound({ models = 300, pairs = 20, d = 3, numExperts = 6 }: { readonly models?: number; readonly pairs?: number; readonly d?: number; readonly numExperts?: number } = {}): Outcome {
  let [broken, entered, tightest, crossed, wrongEnd] = [0, 0, 0, 0, 0];
  for (let m = 0; m < models; m++) {
    const rng = createRng(9).at(m);
    const model = randomModel(rng, numExperts, d);
    const steepest = Math.max(...model.experts.map(({ slope }) => Math.sqrt(dot(slope, slope))));
    for (let pair = 0; pair < pairs; pair++) {
      const [x, y] = [Float64Array.from(rng.normal(d)), Float64Array.from(rng.normal(d))] as const;
      const way = crossings(model, x, y);
      const jumps = way.reduce((sum, { at, from, to }) => sum + Math.abs(valueOf(model.experts[from]!, at) - valueOf(model.experts[to]!, at)), 0);
      const gap = x.map((value, i) => value - y[i]!);
      const bound = steepest * Math.sqrt(dot(gap, gap)) + jumps;
      const change = Math.abs(valueOf(model.experts[routeOf(model, x)]!, x) - valueOf(model.experts[routeOf(model, y)]!, y));
      if (change > bound + 1e-9) broken += 1;
      if (new Set([routeOf(model, x), ...way.map(({ to }) => to)]).size !== way.length + 1) entered += 1;
      if ((way.at(-1)?.to ?? routeOf(model, x)) !== routeOf(model, y)) wrongEnd += 1;
      tightest = Math.max(tightest, change / bound);
      crossed = Math.max(crossed, way.length);
    }
  }
  const jumps = jumpRows();
  return {
    rows: jumps,
    checks: [
      violations(`pairs of ${models * pairs} that break the path bound`, broken),
      violations('ways that enter a cell twice', entered),
      violations('ways whose last cell is not that of their end', wrongEnd),
      atMost('most crossings of one way', crossed, numExperts - 1),
      atMost('largest share of the bound that is used', tightest, 1),
      ...jumps.flatMap(({ topK, weights, largest, atTie, bound }) => [atMost(`H3, k = ${topK}, ${weights}: largest jump of random scores`, largest, bound), near(`H3, k = ${topK}, ${weights}: jump at a tie of k + 1 experts`, atTie, bound, 1e-9)]),
    ],
    figures: [],
  };
}

/** Length of the jump where the first k of E experts, in order of their scores, lose the last of them to the next one, for experts one apart. */
function jump(scores: readonly number[], topK: number, normalise: 'chosen' | 'none'): number {
  const outputs = scores.map((_, i) => [i === topK ? 1 : 0]);
  const before = Array.from({ length: topK }, (_, i) => i);
  return Math.abs(routeJump({ gateLogits: scores, outputs, from: before, to: [...before.slice(0, -1), topK], normalise })[0]!);
}

/** H3: at most |fᵢ − fⱼ| / (k + 1) with gates as they are, |fᵢ − fⱼ| / k renormalised; reached where k + 1 experts tie alone. */
function jumpRows({ draws = 2000, numExperts = 8 } = {}) {
  const apart = { kind: 'disagreement', value: 1, status: 'exact', norm: 'L2', domain: 'global', method: 'one apart' } as const;
  return [1, 2, 4].flatMap((topK) =>
    ([['as they are', 'none'], ['renormalised', 'chosen']] as const).map(([weights, normalise]) => {
      const sampled = Array.from({ length: draws }, (_, draw) => {
        const ordered = Array.from(createRng(10).at(topK, draw).normal(numExperts, 0, 3)).toSorted((a, b) => b - a);
        return jump(ordered.map((score, i) => (i === topK ? ordered[topK - 1]! : score)), topK, normalise);
      });
      const tie = Array.from({ length: numExperts }, (_, i) => (i <= topK ? 0 : -800));
      return { topK, weights, largest: Math.max(...sampled), atTie: jump(tie, topK, normalise), bound: jumpBound(apart, { topK, normalise }).value };
    }),
  );
}
