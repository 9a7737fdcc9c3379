import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { affineScores } from '../moe/affine-scores.js';
import { pullBackRoute, routeRadius } from '../moe/route-radius.js';
import { scoreDifferenceBound } from '../moe/score-bounds.js';
import { dense } from '../network/linear-nodes.js';
import { sequence } from '../network/composite-nodes.js';
import { relu } from '../network/constant-nodes.js';
import { productBound } from '../network/product-bound.js';
import { denseBound } from '../spectral/dense-bound.js';
import { attackMargin, classOf, logitsOf, randomMoe, routeOf } from '../testing/toy-moe.js';
import { LENGTH, applyAffine, column, plus, randomAffine, randomStep, steepest, topOf } from '../testing/toys.js';
import { ensembleCertificate } from './ensemble-certificate.js';
import { regionCertificate } from './region-certificate.js';
import { directionalRadius, minkowskiSum, polytopeSet } from './support-sets.js';

const SIZE = 4;
const layer = (name: string) => ({ name, numExperts: 3, topK: 1, batchInvariant: true });
const rectified = (x: Float64Array): Float64Array => x.map((value) => Math.max(0, value));

/** Two hard-routed layers with a ReLU between them, all affine. */
function twoLayers(seed: number) {
  const first = randomMoe(seed, { inputs: SIZE, experts: 3, classes: SIZE });
  const second = randomMoe(seed + 500, { inputs: SIZE, experts: 3, classes: 3 });
  const hidden = (x: Float64Array): Float64Array => rectified(logitsOf(first, x));
  return {
    first,
    second,
    hidden,
    routes: (x: Float64Array): string => `${routeOf(first, x).join()} ${routeOf(second, hidden(x)).join()}`,
    logits: (x: Float64Array): Float64Array => logitsOf(second, hidden(x)),
  };
}

describe('a model with two hard-routed layers', () => {
  it('keeps both routes and its class within the region certificate of pulled back routes', () => {
    let limitedBySecond = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const { first, second, hidden, routes, logits } = twoLayers(seed);
      const input = Float64Array.from(createRng(seed).normal(SIZE));
      const near = routeRadius(affineScores({ ...first.router, input }), layer('first'));
      const [a] = near.chosen;
      // With the first route fixed, everything before the second router.
      const before = productBound(sequence([dense({ kernel: first.experts[a!]!.kernel }), relu()])).bound;
      const far = pullBackRoute(routeRadius(affineScores({ ...second.router, input: hidden(input) }), layer('second')), before);
      const label = classOf(logits(input));
      const { kernel } = second.experts[far.chosen[0]!]!;
      const others = [0, 1, 2].filter((b) => b !== label);
      const certificate = regionCertificate({
        routes: [near, far],
        margins: others.map((b) => logits(input)[label]! - logits(input)[b]!),
        bounds: others.map((b) => {
          const head = scoreDifferenceBound({ kernel: { shape: [SIZE, 2], values: Float64Array.from({ length: 2 * SIZE }, (_, k) => kernel.values[Math.floor(k / 2) * 3 + (k % 2 ? b : label)]!) } });
          return { ...head, value: head.value * before.value * (1 + 1e-12), status: 'upper' as const, method: 'by hand' };
        }),
      });
      expect(certificate.radius).toBeGreaterThan(0);
      limitedBySecond += Number(certificate.reasons[0]!.startsWith('route 1'));
      const rivals = [0, 1, 2].filter((e) => e !== a).map((e) => steepest(plus(column(first.router.kernel, e), column(first.router.kernel, a!), -1), 'L2', certificate.radius));
      const random = Array.from({ length: 40 }, (_, t) => randomStep(SIZE, 'L2', certificate.radius, seed * 100 + t));
      for (const step of [...rivals, ...random]) {
        expect(routes(plus(input, step, 0.9999))).toBe(routes(input));
        expect(classOf(logits(plus(input, step, 0.9999)))).toBe(label);
      }
    }
    expect(limitedBySecond).toBeGreaterThan(5);
  });
});

describe('ensembleCertificate', () => {
  it('is never above the distance of a sum of affine models to its boundary, which sets of their very gradients meet', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const members = [0, 1, 2].map((j) => randomAffine(SIZE, 2, seed * 10 + j));
      const weights = Array.from(createRng(seed).uniform(3, 0.1, 1));
      const input = Float64Array.from(createRng(seed + 1).normal(SIZE));
      const summed = members.reduce((sum, member, j) => plus(sum, applyAffine(member, input), weights[j]!), new Float64Array(2) as Float64Array);
      const label = classOf(summed);
      const certificate = ensembleCertificate({
        weights,
        members: members.map((member) => {
          const y = applyAffine(member, input);
          return { margins: [y[label]! - y[1 - label]!], bounds: scoreDifferenceBound({ kernel: member.kernel }) };
        }),
      });
      const gradient = members.reduce((sum, { kernel }, j) => plus(plus(sum, column(kernel, label), weights[j]!), column(kernel, 1 - label), -weights[j]!), new Float64Array(SIZE) as Float64Array);
      expect(certificate.radius).toBeGreaterThan(0);
      expect(certificate.radius).toBeLessThanOrEqual((summed[label]! - summed[1 - label]!) / LENGTH.L2(gradient));
      // Support functions of the very gradients lose nothing, in any direction.
      const fall = minkowskiSum(members.map(({ kernel }) => polytopeSet({ shape: [SIZE, 1], values: plus(column(kernel, 1 - label), column(kernel, label), -1) })), weights);
      const worst = steepest(gradient, 'L2', -1);
      expect(directionalRadius([{ margin: summed[label]! - summed[1 - label]!, fall }], worst) / ((summed[label]! - summed[1 - label]!) / LENGTH.L2(gradient))).toBeCloseTo(1, 10);
    }
  });
});

describe('a margin over the bound of all logits at once', () => {
  it('is never above the certificate of pairs, on one route', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const moe = randomMoe(seed, { experts: 1 });
      const input = Float64Array.from(createRng(seed).normal(5));
      const logits = logitsOf(moe, input);
      const [label, other] = topOf(logits, 2).sort((a, b) => logits[b]! - logits[a]!);
      const margin = logits[label!]! - logits[other!]!;
      const { kernel } = moe.experts[0]!;
      expect(scoreDifferenceBound({ kernel }).value).toBeLessThanOrEqual(Math.SQRT2 * denseBound(kernel).value);
      expect(attackMargin(moe, input, label!, 'L2', margin / scoreDifferenceBound({ kernel }).value, seed, { starts: 1, steps: 5 })).toBeGreaterThan(-1e-9);
    }
  });
});
