import { type OperatorNorm, type SoundBound, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { affineScores } from '../moe/affine-scores.js';
import { affineDisagreement } from '../moe/disagreement.js';
import { routeRadius } from '../moe/route-radius.js';
import { scoreDifferenceBound } from '../moe/score-bounds.js';
import { softmaxMixtureBound } from '../moe/softmax-mixture.js';
import { type ToyMoe, attackMargin, classOf, logitsOf, logitsOn, randomMoe, routeOf } from '../testing/toy-moe.js';
import { type Affine, column, plus } from '../testing/toys.js';
import type { Margins } from './certificate.js';
import { marginCertificate } from './margin-certificate.js';
import { regionCertificate } from './region-certificate.js';
import { routeSetCertificate } from './route-set-certificate.js';

const NORMS = ['L2', 'Linf', 'L1'] as const;
const BALL = 5;

const layerOf = ({ experts, topK }: ToyMoe) => ({ name: 'moe', numExperts: experts.length, topK, batchInvariant: true });

/** One logit less another of an affine expert, as an affine expert. */
function difference({ kernel, bias }: Affine, a: number, b: number): Affine {
  return { kernel: { shape: [kernel.shape[0], 1], values: plus(column(kernel, a), column(kernel, b), -1) }, bias: Float64Array.of(bias[a]! - bias[b]!) };
}

/** Lipschitz constant of a scalar affine function: the dual norm of its gradient. */
function slopeOf({ kernel }: Affine, norm: OperatorNorm): SoundBound {
  const gradient = { shape: [kernel.shape[0], 2], values: Float64Array.from(kernel.values).reduce<number[]>((all, value) => [...all, value, 0], []) };
  return scoreDifferenceBound({ kernel: gradient, norm });
}

/** Margins on a route, with the bounds of the softmax mixture of its experts, in a ball of radius 5. */
function marginsOn(moe: ToyMoe, route: readonly number[], input: Float64Array, label: number, norm: OperatorNorm): Margins {
  const logits = logitsOn(moe, route, input);
  const others = Array.from(logits.keys()).filter((b) => b !== label);
  return {
    margins: others.map((b) => logits[label]! - logits[b]!),
    bounds: others.map((b) => {
      const experts = route.map((e) => difference(moe.experts[e]!, label, b));
      const bounds = experts.map((expert) => slopeOf(expert, norm));
      if (route.length === 1) return bounds[0]!;
      const disagreement = affineDisagreement({ experts, input, radius: BALL, norm });
      // The disagreement is of scalars, for which all norms agree; that of the ball is another matter.
      return softmaxMixtureBound({ experts: bounds, disagreement: { ...disagreement, value: scalarDisagreement(experts, input, norm) }, router: scoreDifferenceBound({ kernel: moe.router.kernel, norm }) });
    }),
  };
}

/** Largest distance of scalar affine functions in the ball: at the centre, and by the dual norm of the difference of their gradients. */
function scalarDisagreement(experts: readonly Affine[], input: Float64Array, norm: OperatorNorm): number {
  let largest = 0;
  for (const one of experts) {
    for (const other of experts) {
      const apart: Affine = { kernel: { ...one.kernel, values: plus(one.kernel.values, other.kernel.values, -1) }, bias: plus(one.bias, other.bias, -1) };
      const centre = input.reduce((sum, value, d) => sum + value * apart.kernel.values[d]!, apart.bias[0]!);
      largest = Math.max(largest, Math.abs(centre) + BALL * slopeOf(apart, norm).value);
    }
  }
  return largest * (1 + 1e-12);
}

describe('certificates of hard-routed models', () => {
  it.each([1, 2])('are never broken by gradient descent inside their radius, over 200 random models, top-%i', (topK) => {
    let [certified, crossing] = [0, 0];
    for (let seed = 1; seed <= 200; seed++) {
      const norm = NORMS[seed % 3]!;
      const moe = randomMoe(seed, { topK, router: seed % 2 ? 1 : 4, spread: seed % 4 < 2 ? 1 : 0.2 });
      const input = Float64Array.from(createRng(seed).normal(5));
      const label = classOf(logitsOf(moe, input));
      const scores = affineScores({ ...moe.router, input, norm });
      const layer = layerOf(moe);
      const region = regionCertificate({ routes: [routeRadius(scores, layer)], ...marginsOn(moe, routeOf(moe, input), input, label, norm) });
      const set = routeSetCertificate({ scores, layer, onRoute: (route) => marginsOn(moe, route, input, label, norm) });
      expect(set.radius).toBeGreaterThanOrEqual(region.radius * (1 - 1e-9));
      expect(attackMargin(moe, input, label, norm, set.radius, seed, { starts: 2, steps: 8 })).toBeGreaterThan(-1e-9);
      certified += Number(set.radius > 0);
      crossing += Number(set.status === 'route-crossing');
    }
    expect(certified).toBe(200);
    expect(crossing).toBeGreaterThan(20);
  });

  it('with one affine expert are the distance to the nearer of route and class boundary, beyond which both attacks succeed', () => {
    let [routes, classes] = [0, 0];
    for (let seed = 1; seed <= 40; seed++) {
      const moe = randomMoe(seed);
      const input = Float64Array.from(createRng(seed).normal(5));
      const label = classOf(logitsOf(moe, input));
      const scores = affineScores({ ...moe.router, input });
      const route = routeRadius(scores, layerOf(moe));
      const margins = marginsOn(moe, route.chosen, input, label, 'L2');
      const { radius, reasons, status } = regionCertificate({ routes: [route], ...margins });
      expect(status).toBe('route-stable');
      const own = marginCertificate(margins).radius;
      expect(radius).toBe(Math.min(own, route.radius));
      if (own < route.radius) {
        classes++;
        expect(attackMargin(moe, input, label, 'L2', radius * 1.001, seed)).toBeLessThan(0);
      } else {
        routes++;
        expect(reasons).toEqual(['route 0 may change']);
      }
    }
    expect(Math.min(routes, classes)).toBeGreaterThan(5);
  });
});

describe('regionCertificate', () => {
  const bound: SoundBound = { value: 2, status: 'upper', norm: 'L2', domain: 'global', method: 'test' };
  const route = { radius: 0.3, norm: 'L2', confidence: 1 } as const;

  it('is the smallest of its radii, and says which', () => {
    expect(regionCertificate({ routes: [route], margins: [1, 0.4], bounds: [bound, bound] })).toMatchObject({ radius: expect.closeTo(0.2, 12), status: 'route-stable', confidence: 1, reasons: ['margin 1 is 0.4 and changes by at most 2 a unit (test)'] });
    expect(regionCertificate({ routes: [route, { ...route, radius: 0.1 }], margins: [1], bounds: bound })).toMatchObject({ radius: 0.1, reasons: ['route 1 may change'] });
    expect(regionCertificate({ routes: [route], margins: [-1], bounds: bound })).toMatchObject({ radius: 0, status: 'vacuous' });
  });

  it('passes on the doubt of sampled routes, all layers together', () => {
    expect(regionCertificate({ routes: [{ ...route, confidence: 0.99 }, { ...route, confidence: 0.98 }], margins: [1], bounds: bound }).confidence).toBeCloseTo(0.97, 12);
  });

  it('refuses what is not sound, by type and at run time', () => {
    // @ts-expect-error a lower bound certifies nothing
    expect(() => regionCertificate({ routes: [route], margins: [1], bounds: [{ ...bound, status: 'lower' }] })).toThrow("bounds[0].status must be one of 'exact', 'upper', got 'lower'");
    // @ts-expect-error an estimate certifies nothing
    expect(() => marginCertificate({ margins: [1], bounds: { ...bound, status: 'estimate' } })).toThrow("got 'estimate'");
    expect(() => regionCertificate({ routes: [{ ...route, norm: 'Linf' }], margins: [1], bounds: bound })).toThrow("routes[0].norm must be 'L2'");
    expect(() => regionCertificate({ routes: [], margins: [1], bounds: bound })).toThrow('at least one layer');
    expect(() => marginCertificate({ margins: [1, 2], bounds: [bound] })).toThrow('bounds must have 2 entries');
  });
});

describe('routeSetCertificate', () => {
  const line = (bias: readonly [number, number]) => affineScores({ kernel: { shape: [1, 2], values: [1, -1] }, bias, input: [0] });
  const layer = { name: 'moe', numExperts: 2, topK: 1, batchInvariant: true };
  const slope = (value: number): SoundBound => ({ value, status: 'upper', norm: 'L2', domain: 'global', method: 'test' });

  it('goes on across a boundary where both experts keep the class, as far as the weaker one does', () => {
    // The route changes at x = −1. Expert 0 keeps the class up to 4, expert 1 up to 2.5.
    const margins = [4, 5];
    const onRoute = ([e]: readonly number[]): Margins => ({ margins: [margins[e!]!], bounds: slope(e! + 1) });
    const crossed = routeSetCertificate({ scores: line([2, 0]), layer, onRoute });
    expect(crossed).toMatchObject({ radius: expect.closeTo(2.5, 9), status: 'route-crossing', routes: [[0], [1]] });
    expect(crossed.radius).toBeLessThanOrEqual(2.5);
    expect(crossed.reasons).toEqual([expect.stringMatching(/^experts 1 keep the class up to 2\.49999/)]);
    // Expert 1 prefers another class: up to the boundary and no further.
    const stopped = routeSetCertificate({ scores: line([2, 0]), layer, onRoute: ([e]) => ({ margins: [e === 0 ? 4 : -1], bounds: slope(1) }) });
    expect(stopped).toMatchObject({ radius: expect.closeTo(1, 9), status: 'route-stable' });
    expect(stopped.radius).toBeLessThanOrEqual(1);
  });

  it('certifies a tie of experts that agree, and nothing where one does not', () => {
    expect(routeSetCertificate({ scores: line([0, 0]), layer, onRoute: () => ({ margins: [3], bounds: slope(1) }) })).toMatchObject({ radius: expect.closeTo(3, 9), status: 'route-crossing' });
    expect(routeSetCertificate({ scores: line([0, 0]), layer, onRoute: ([e]) => ({ margins: [e === 0 ? 3 : -3], bounds: slope(1) }) })).toMatchObject({ radius: 0, status: 'vacuous' });
  });

  it('gives up on too many routes, stops where bounds and scores end, and refuses routing by the batch', () => {
    const flat = affineScores({ kernel: { shape: [1, 12], values: new Float64Array(12) }, input: [0] });
    const wide = { ...layer, numExperts: 12, topK: 6 };
    const onRoute = (): Margins => ({ margins: [3], bounds: slope(1) });
    expect(routeSetCertificate({ scores: flat, layer: wide, onRoute, maxRoutes: 10 })).toMatchObject({ radius: 0, status: 'unknown', reasons: ['more than 10 routes are reachable'] });
    const ball = { ...slope(1), domain: { norm: 'L2', radius: 0.25 } } as const;
    expect(routeSetCertificate({ scores: line([2, 0]), layer, onRoute: () => ({ margins: [3], bounds: ball }) }).radius).toBe(0.25);
    expect(routeSetCertificate({ scores: line([2, 0]), layer, onRoute: () => ({ margins: [3], bounds: slope(0) }) }).radius).toBe(Infinity);
    expect(() => routeSetCertificate({ scores: line([2, 0]), layer: { ...layer, batchInvariant: false }, onRoute })).toThrow("layer 'moe' must route each row");
  });
});
