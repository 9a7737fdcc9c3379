// How far an input is from where a linear router changes its mind (V7, V11).
import { type Rng, createRng, topKIndices } from '@moe/core';
import { affineScores, routeRadius } from '@moe/lipschitz';
import { lineChart } from '@moe/report';
import { dot } from './algebra.js';
import { type Outcome, atLeast, atMost, near, rising, violations } from './claim.js';

type Vectors = readonly ArrayLike<number>[];
type Norm = 'L2' | 'Linf';

/** Rows of a router as a kernel `[d,E]`. */
const kernelOf = (rows: Vectors) => ({ shape: [rows[0]!.length, rows.length], values: Float64Array.from({ length: rows.length * rows[0]!.length }, (_, at) => rows[at % rows.length]![Math.floor(at / rows.length)]!) });

/** Exact radius within which a bias-free linear router keeps its top k. */
export const radiusOf = (router: Vectors, input: ArrayLike<number>, topK: number, norm: Norm) =>
  routeRadius(affineScores({ kernel: kernelOf(router), input: Float64Array.from(input), norm }), { name: 'router', numExperts: router.length, topK, batchInvariant: true });

/** Chosen experts, as a key. */
const routeOf = (router: Vectors, x: ArrayLike<number>, topK: number): string => String(topKIndices(router.map((row) => dot(row, x)), router.length, topK).toSorted((a, b) => a - b));

/** The direction of norm 1 in which score j gains most on score i. */
function worstDirection(router: Vectors, i: number, j: number, norm: Norm): Float64Array {
  const gain = Float64Array.from(router[j]!, (value, d) => value - router[i]![d]!);
  if (norm === 'Linf') return gain.map(Math.sign);
  const size = Math.sqrt(dot(gain, gain));
  return gain.map((value) => value / size);
}

/** A random direction of norm 1. */
function anyDirection(rng: Rng, d: number, norm: Norm): Float64Array {
  const direction = Float64Array.from(rng.normal(d));
  if (norm === 'Linf') return direction.map(Math.sign);
  const size = Math.sqrt(dot(direction, direction));
  return direction.map((value) => value / size);
}

const moved = (x: ArrayLike<number>, direction: Float64Array, by: number): Float64Array => direction.map((value, d) => x[d]! + by * value);

/** R1: no input within the radius is routed otherwise, and just outside one is. */
export function exactRadius({ draws = 200, d = 12, numExperts = 6, random = 10 }: { readonly draws?: number; readonly d?: number; readonly numExperts?: number; readonly random?: number } = {}): Outcome {
  const rows = ([1, 2, 3] as const).flatMap((topK) =>
    (['L2', 'Linf'] as const).map((norm) => {
      let [inside, flips] = [0, 0];
      for (let draw = 0; draw < draws; draw++) {
        const rng = createRng(7).at(topK, draw);
        const router = Array.from({ length: numExperts }, () => rng.normal(d));
        const x = rng.normal(d);
        const { radius, chosen, rival } = radiusOf(router, x, topK, norm);
        const route = routeOf(router, x, topK);
        const worst = chosen.flatMap((i) => router.flatMap((_, j) => (chosen.includes(j) ? [] : [worstDirection(router, i, j, norm)])));
        const directions = [...worst, ...Array.from({ length: random }, () => anyDirection(rng, d, norm))];
        inside += directions.filter((direction) => routeOf(router, moved(x, direction, 0.999 * radius), topK) !== route).length;
        flips += rival !== undefined && routeOf(router, moved(x, worstDirection(router, ...rival, norm), 1.001 * radius), topK) !== route ? 1 : 0;
      }
      return { topK, norm, draws, inside, flips };
    }),
  );
  return {
    rows,
    checks: rows.flatMap(({ topK, norm, inside, flips }) => [violations(`k = ${topK}, ${norm}: other routes at 0.999 of the radius`, inside), atLeast(`k = ${topK}, ${norm}: of ${draws}, flips at 1.001 of it`, flips, draws)]),
    figures: [],
  };
}

/** Centres of length R with one cosine between all of them. */
export function equalCentres(numExperts: number, length: number, cosine: number, basis: Vectors): Float64Array[] {
  const [shared, ...own] = basis;
  return own.slice(0, numExperts).map((axis) => Float64Array.from(axis, (value, d) => length * (Math.sqrt(1 - cosine) * value + Math.sqrt(cosine) * shared![d]!)));
}

const axes = (count: number, d: number): Float64Array[] => Array.from({ length: count }, (_, i) => Float64Array.from({ length: d }, (_value, at) => (at === i ? 1 : 0)));

/** R2: clusters routed by their centres stay at least R √((1 − c)/2) − r from a boundary, and the worst noise gets that near. */
export function clusterMargin({ cosines = [0, 0.3, 0.6], R = 2, noise = 0.4, numExperts = 6, d = 16, draws = 400 }: { readonly cosines?: readonly number[]; readonly R?: number; readonly noise?: number; readonly numExperts?: number; readonly d?: number; readonly draws?: number } = {}): Outcome {
  const rows = cosines.map((cosine) => {
    const rng = createRng(11).at(Math.round(100 * cosine));
    const centres = equalCentres(numExperts, R, cosine, axes(numExperts + 1, d));
    const radius = (cluster: number, direction: Float64Array): number => radiusOf(centres, moved(centres[cluster]!, direction, noise), 1, 'L2').radius;
    const sampled = Math.min(...Array.from({ length: draws }, (_, i) => radius(i % numExperts, anyDirection(rng, d, 'L2'))));
    const worst = Math.min(...centres.flatMap((_, i) => centres.flatMap((__, j) => (i === j ? [] : [radius(i, worstDirection(centres, i, j, 'L2'))]))));
    return { cosine, sampled, worst, bound: R * Math.sqrt((1 - cosine) / 2) - noise };
  });
  const curve = (name: string, pick: (row: (typeof rows)[number]) => number) => ({ name, points: rows.map((row) => ({ x: row.cosine, y: pick(row) })) });
  return {
    rows,
    checks: [
      ...rows.flatMap(({ cosine, sampled, worst, bound }) => [atLeast(`c = ${cosine}: least radius of random noise`, sampled, bound), near(`c = ${cosine}: least radius under the worst noise`, worst, bound, 1e-9)]),
      ...(R === 2 && noise === 0.4 ? [1.01, 0.78, 0.49].flatMap((expected, i) => (rows[i] === undefined ? [] : [near(`bound at c = ${rows[i].cosine}`, rows[i].bound, expected, 0.005)])) : []),
      rising('room above the bound shrinks as the cosine grows: least radii, from c = 0.6 to 0', rows.map(({ sampled }) => sampled).toReversed()),
      atMost('noise that makes the bound vacuous at the largest cosine', noise, R * Math.sqrt((1 - Math.max(...cosines)) / 2)),
    ],
    figures: [lineChart({ title: `Routing radius of clusters of radius ${noise} about centres of length ${R}`, series: [curve('bound', ({ bound }) => bound), curve('worst noise', ({ worst }) => worst), curve('least of random noise', ({ sampled }) => sampled)], xTitle: 'cosine of two centres', yTitle: 'radius (L2)' })],
  };
}
