import { type OperatorNorm, type SoundBound, createRng } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { denseBound } from '../spectral/dense-bound.js';
import { type Affine, LENGTH, applyAffine, plus, randomAffine, randomStep, softmaxOf } from '../testing/toys.js';
import { affineScores } from './affine-scores.js';
import { affineDisagreement, localDisagreement } from './disagreement.js';
import { jumpBound, routeJump } from './jump-size.js';
import { localSoftmaxMixtureBound } from './local-softmax-mixture.js';
import { centredScoreBound, pairBound, scoreDifferenceBound } from './score-bounds.js';
import { softmaxMixtureBound } from './softmax-mixture.js';
import { reluMixtureBound, sparsemaxMixtureBound } from './sparse-mixtures.js';

const NORMS = ['L2', 'Linf', 'L1'] as const;
const upper = (value: number, norm: OperatorNorm = 'L2'): SoundBound => ({ value, status: 'upper', norm, domain: 'global', method: 'test' });
const apart = (value: number, norm: OperatorNorm = 'L2') => ({ kind: 'disagreement', value, status: 'upper', norm, domain: 'global', method: 'test' }) as const;

/** `Σ wᵢ fᵢ` of affine experts. */
const mix = (weights: Float64Array, experts: readonly Affine[], x: Float64Array): Float64Array =>
  experts.map((expert) => applyAffine(expert, x)).reduce((sum, y, e) => sum.map((value, m) => value + weights[e]! * y[m]!), new Float64Array(experts[0]!.bias.length));

/** Projection on the simplex, by the threshold that leaves a sum of 1. */
function sparsemaxOf(z: Float64Array): Float64Array {
  let [low, high] = [Math.min(...z) - 1, Math.max(...z)];
  for (let i = 0; i < 100; i++) {
    const tau = (low + high) / 2;
    if (z.reduce((sum, value) => sum + Math.max(0, value - tau), 0) > 1) low = tau;
    else high = tau;
  }
  return z.map((value) => Math.max(0, value - low));
}

interface Case {
  readonly router: Affine;
  readonly experts: readonly Affine[];
  readonly bounds: readonly SoundBound[];
  readonly input: Float64Array;
}

function randomCase(seed: number, norm: OperatorNorm, router = 1): Case {
  const experts = Array.from({ length: 4 }, (_, e) => randomAffine(3, 2, seed * 10 + e));
  return {
    router: randomAffine(3, 4, seed * 10 + 7, router),
    experts,
    bounds: experts.map(({ kernel }) => denseBound(kernel, { norm })),
    input: Float64Array.from(createRng(seed).normal(3)),
  };
}

/** Largest `‖f(x) − f(y)‖ / ‖x − y‖` over pairs in a ball, close ones and distant ones. */
function sampledSlope(fn: (x: Float64Array) => Float64Array, input: Float64Array, norm: OperatorNorm, radius: number, trials = 40): number {
  let largest = 0;
  for (let t = 1; t <= trials; t++) {
    const x = plus(input, randomStep(input.length, norm, (radius * t) / trials, t));
    const y = t % 2 === 0 ? plus(x, plus(x, input, -1), -1e-3) : plus(input, randomStep(input.length, norm, radius, t + 1000));
    largest = Math.max(largest, LENGTH[norm](plus(fn(y), fn(x), -1)) / LENGTH[norm](plus(y, x, -1)));
  }
  return largest;
}

const anyCase = [fc.integer({ min: 1, max: 1e5 }), fc.constantFrom(...NORMS)] as const;

describe('softmaxMixtureBound', () => {
  it('is max L + D_f D_s / 4, reached by two constant experts at even gates', () => {
    // f = ±a, scores ±t x / 2: f(x) = a tanh(t x / 2), whose slope at 0 is a t / 2 = (2 a) (t) / 4.
    const bound = softmaxMixtureBound({ experts: [upper(0), upper(0)], disagreement: apart(6), router: scoreDifferenceBound({ kernel: { shape: [1, 2], values: [2.5, -2.5] } }) });
    expect(bound).toMatchObject({ status: 'upper', norm: 'L2', domain: 'global' });
    expect(bound.value).toBeCloseTo(7.5, 12);
    const slope = (3 * Math.tanh(5e-6 / 2) - 3 * Math.tanh(-5e-6 / 2)) / 2e-6;
    expect(slope / bound.value).toBeCloseTo(1, 9);
    expect(slope).toBeLessThanOrEqual(bound.value);
  });

  it('has no router term for experts that agree, nor for scores that do, even without a bound of the other', () => {
    expect(softmaxMixtureBound({ experts: [upper(2), upper(3)], disagreement: apart(0), router: upper(Infinity) }).value).toBeCloseTo(3, 12);
    expect(softmaxMixtureBound({ experts: [upper(2), upper(3)], disagreement: apart(Infinity), router: upper(0) }).value).toBeCloseTo(3, 12);
  });

  it('is never below the slopes of random mixtures in a ball, local and global, top-k within its route, with gates normalised or not', () => {
    fc.assert(
      fc.property(...anyCase, fc.double({ min: 0.01, max: 2, noNaN: true }), (seed, norm, radius) => {
        const { router, experts, bounds, input } = randomCase(seed, norm);
        const disagreement = affineDisagreement({ experts, input, radius, norm });
        const difference = scoreDifferenceBound({ kernel: router.kernel, norm });
        const bound = softmaxMixtureBound({ experts: bounds, disagreement, router: difference });
        expect(bound.domain).toEqual({ norm, radius });
        const mixture = (x: Float64Array): Float64Array => mix(softmaxOf(applyAffine(router, x)), experts, x);
        const sampled = sampledSlope(mixture, input, norm, radius);
        expect(sampled).toBeLessThanOrEqual(bound.value);
        const outputs = experts.map((expert) => applyAffine(expert, input));
        const local = localSoftmaxMixtureBound({ scores: affineScores({ ...router, input, norm }), outputs, experts: bounds }, radius);
        expect(sampled).toBeLessThanOrEqual(local.value);
        const simple = softmaxMixtureBound({ experts: bounds, disagreement: localDisagreement({ outputs, experts: bounds, radius }), router: difference });
        expect(local.value).toBeLessThanOrEqual(simple.value * (1 + 1e-12));
        // Two of four, as within a route.
        const chosen = [1, 3];
        const region = softmaxMixtureBound({
          experts: chosen.map((e) => bounds[e]!),
          disagreement: affineDisagreement({ experts: chosen.map((e) => experts[e]!), input, radius, norm }),
          router: difference,
        });
        const renormalised = (x: Float64Array): Float64Array => {
          const z = applyAffine(router, x);
          return mix(softmaxOf(Float64Array.from(chosen, (e) => z[e]!)), chosen.map((e) => experts[e]!), x);
        };
        expect(sampledSlope(renormalised, input, norm, radius)).toBeLessThanOrEqual(region.value);
        const zero: Affine = { kernel: { shape: [3, 2], values: new Float64Array(6) }, bias: new Float64Array(2) };
        const masked = experts.map((expert, e) => (chosen.includes(e) ? expert : zero));
        const raw = softmaxMixtureBound({ experts: bounds.map((each, e) => (chosen.includes(e) ? each : upper(0, norm))), disagreement: affineDisagreement({ experts: masked, input, radius, norm }), router: difference });
        expect(sampledSlope((x) => mix(softmaxOf(applyAffine(router, x)), masked, x), input, norm, radius)).toBeLessThanOrEqual(raw.value);
      }),
      { seed: 6, numRuns: 40 },
    );
  });

  it('knows, in a small ball, that a sure router has no part in the slope', () => {
    const { router, experts, bounds, input } = randomCase(3, 'L2');
    const z = applyAffine(router, input);
    const lead = z.indexOf(Math.max(...z));
    const sure: Affine = { ...router, bias: router.bias.map((value, e) => value + (e === lead ? 30 : 0)) };
    const outputs = experts.map((expert) => applyAffine(expert, input));
    const local = (radius: number) => localSoftmaxMixtureBound({ scores: affineScores({ ...sure, input }), outputs, experts: bounds }, radius).value;
    expect(local(0.1) / bounds[lead]!.value).toBeCloseTo(1, 6);
    expect(local(100)).toBeGreaterThan(2 * local(0.1));
    // At radius 0 it is a bound of the gradient, which it meets for one output and two experts: p L₁ + (1 − p) L₂ + p (1 − p) |f₁ − f₂| |s₁ − s₂|.
    const scores = affineScores({ kernel: { shape: [1, 2], values: [1, -1] }, bias: [Math.log(3), 0], input: [0] });
    expect(localSoftmaxMixtureBound({ scores, outputs: [[5], [1]], experts: [upper(2), upper(8)] }, 0).value).toBeCloseTo(0.75 * 2 + 0.25 * 8 + 0.75 * 0.25 * 4 * 2, 10);
  });

  it('takes sound parts only, by type and at run time', () => {
    const router = upper(1);
    const experts = [upper(1)];
    // @ts-expect-error a lower bound certifies nothing
    expect(() => softmaxMixtureBound({ experts: [{ ...upper(1), status: 'lower' }], disagreement: apart(1), router })).toThrow("experts[0].status must be one of 'exact', 'upper', got 'lower'");
    // @ts-expect-error an estimate certifies nothing
    expect(() => softmaxMixtureBound({ experts, disagreement: { ...apart(1), status: 'estimate' }, router })).toThrow("disagreement.status must be one of 'exact', 'upper', got 'estimate'");
    // @ts-expect-error a lower bound certifies nothing
    expect(() => softmaxMixtureBound({ experts, disagreement: apart(1), router: { ...router, status: 'lower' } })).toThrow("router.status must be one of 'exact', 'upper', got 'lower'");
    // @ts-expect-error a slope is no distance of outputs
    expect(() => softmaxMixtureBound({ experts, disagreement: upper(1), router })).toThrow("disagreement.kind must be 'disagreement'");
    expect(() => softmaxMixtureBound({ experts, disagreement: apart(1), router: upper(1, 'Linf') })).toThrow("router.norm must be 'L2', as the others, got 'Linf'");
    expect(() => softmaxMixtureBound({ experts: [], disagreement: apart(1), router })).toThrow('at least one expert');
  });

  it('bounds a difference of scores from a bound of their vector, as far as that holds', () => {
    expect(pairBound({ ...upper(3, 'Linf'), domain: { norm: 'Linf', radius: 2 } })).toMatchObject({ value: expect.closeTo(6, 12), domain: { norm: 'Linf', radius: 2 } });
  });
});

describe('sparsemaxMixtureBound', () => {
  it('is never below the slopes of random mixtures, near or far, with few experts active', () => {
    fc.assert(
      fc.property(...anyCase, fc.double({ min: 0.01, max: 3, noNaN: true }), (seed, norm, radius) => {
        const { router, experts, bounds, input } = randomCase(seed, norm);
        const bound = sparsemaxMixtureBound({ experts: bounds, disagreement: affineDisagreement({ experts, input, radius, norm }), router: centredScoreBound({ kernel: router.kernel, norm }) });
        const mixture = (x: Float64Array): Float64Array => mix(sparsemaxOf(applyAffine(router, x)), experts, x);
        expect(sampledSlope(mixture, input, norm, radius)).toBeLessThanOrEqual(bound.value);
      }),
      { seed: 7, numRuns: 40 },
    );
  });

  it('is max L + D_f √min(E, 2k) ‖S_c‖ / 2, reached by two experts', () => {
    // Scores ± x / 2 and outputs ± 1: p = ½ ± x / 2, so f = x where both are active. D_f = 2, ‖S_c‖ = √½, √2 of it: 1.
    const router = centredScoreBound({ kernel: { shape: [1, 2], values: [3.5, 2.5] } });
    expect(router.value).toBeCloseTo(Math.SQRT1_2, 3);
    const bound = sparsemaxMixtureBound({ experts: [upper(0), upper(0)], disagreement: apart(2), router: { ...router, value: Math.SQRT1_2 } });
    expect(bound.value).toBeCloseTo(1, 12);
    const four = { experts: [0, 0, 0, 5].map((value) => upper(value)), disagreement: apart(2), router: upper(1) };
    expect(sparsemaxMixtureBound(four).value).toBeCloseTo(7, 12);
    expect(sparsemaxMixtureBound({ ...four, maxActive: 1 }).value).toBeCloseTo(5 + Math.SQRT2, 12);
    expect(() => sparsemaxMixtureBound({ ...four, maxActive: 5 })).toThrow('maxActive must be an integer in [1, 4]');
  });
});

describe('reluMixtureBound', () => {
  it('adds what each expert that can be active brings', () => {
    // Expert 0: score 1 ± 0.5, output 3 ± 1: 1 · 4 + 1.5 · 2. Expert 1 is off: −2 + 0.5 < 0.
    const bound = reluMixtureBound({ gateLogits: [1, -2], scoreBounds: [upper(1), upper(1)], outputs: [[3], [9]], experts: [upper(2), upper(2)], radius: 0.5 });
    expect(bound.value).toBeCloseTo(7, 12);
    expect(bound.domain).toEqual({ norm: 'L2', radius: 0.5 });
  });

  it('is never below the slopes of random mixtures', () => {
    fc.assert(
      fc.property(...anyCase, fc.double({ min: 0.01, max: 2, noNaN: true }), (seed, norm, radius) => {
        const { router, experts, bounds, input } = randomCase(seed, norm);
        const scores = affineScores({ ...router, input, norm });
        // A score is the difference to one that is always 0.
        const withZero: Affine = { kernel: { shape: [3, 5], values: Float64Array.from({ length: 15 }, (_, k) => (k % 5 === 4 ? 0 : router.kernel.values[Math.floor(k / 5) * 4 + (k % 5)]!)) }, bias: Float64Array.of(...router.bias, 0) };
        const single = affineScores({ ...withZero, input, norm });
        const bound = reluMixtureBound({
          gateLogits: scores.gateLogits,
          scoreBounds: experts.map((_, e) => upper(single.slope(e, 4), norm)),
          outputs: experts.map((expert) => applyAffine(expert, input)),
          experts: bounds,
          radius,
        });
        const mixture = (x: Float64Array): Float64Array => mix(applyAffine(router, x).map((value) => Math.max(0, value)), experts, x);
        expect(sampledSlope(mixture, input, norm, radius)).toBeLessThanOrEqual(bound.value);
      }),
      { seed: 8, numRuns: 40 },
    );
  });
});

describe('disagreement', () => {
  it('is what experts disagree by at the centre and can move apart, and less for affine ones with much in common', () => {
    const expert = (slope: number, bias: number) => ({ kernel: { shape: [1, 1], values: [slope] }, bias: [bias] });
    const experts = [expert(10, 0), expert(11, 1)];
    // At x = 2: |20 − 23| = 3; in a ball of 0.5 the affine ones part by 0.5 · |10 − 11|.
    const options = { input: [2], radius: 0.5 };
    expect(affineDisagreement({ experts, ...options }).value).toBeCloseTo(3.5, 12);
    const local = localDisagreement({ outputs: [[20], [23]], experts: [upper(10), upper(11)], radius: 0.5 });
    expect(local).toMatchObject({ kind: 'disagreement', value: expect.closeTo(13.5, 12), domain: { norm: 'L2', radius: 0.5 } });
    expect(() => localDisagreement({ outputs: [[20], [23]], experts: [upper(10), { ...upper(11), domain: { norm: 'L2', radius: 0.1 } }], radius: 0.5 })).toThrow('radius must lie within the balls of the experts');
    expect(() => localDisagreement({ outputs: [[20]], experts: [upper(10), upper(11)], radius: 0.5 })).toThrow('outputs must have 2 entries');
  });
});

describe('jumps', () => {
  const softmax = (logits: number[]): Float64Array => softmaxOf(Float64Array.from(logits));

  it('are the common weight times the difference of the experts at a tie', () => {
    const gateLogits = [2, 1, 1, 0];
    const outputs = [[1, 0], [4, 2], [-3, 5], [9, 9]];
    const tie = { gateLogits, outputs, from: [0, 1], to: [0, 2] };
    const q = softmax([2, 1])[1]!;
    expect(Array.from(routeJump({ ...tie, normalise: 'chosen' }))).toEqual([expect.closeTo(q * -7, 12), expect.closeTo(q * 3, 12)]);
    const p = softmax(gateLogits)[1]!;
    expect(Array.from(routeJump({ ...tie, normalise: 'none' }))).toEqual([expect.closeTo(p * -7, 12), expect.closeTo(p * 3, 12)]);
    expect(() => routeJump({ ...tie, from: [0, 0], normalise: 'none' })).toThrow('from must be different experts');
    expect(() => routeJump({ ...tie, to: [4], normalise: 'none' })).toThrow('to must be an integer in [0, 3]');
  });

  it('stay within D_f / k, or D_f / (k + 1) without renormalisation, and come close at even scores', () => {
    const far = apart(6);
    expect(jumpBound(far, { topK: 2, normalise: 'chosen' }).value).toBeCloseTo(3, 12);
    expect(jumpBound(far, { topK: 2, normalise: 'none' }).value).toBeCloseTo(2, 12);
    const even = { gateLogits: [0, 0, 0], outputs: [[0], [-3], [3]], from: [0, 1], to: [0, 2] };
    expect(routeJump({ ...even, normalise: 'chosen' })[0]).toBeCloseTo(3, 12);
    expect(routeJump({ ...even, normalise: 'none' })[0]).toBeCloseTo(2, 12);
    for (let seed = 1; seed <= 50; seed++) {
      const rng = createRng(seed);
      // Experts 1 and 2 tie below expert 0; expert 3 is behind.
      const [gap, behind] = rng.uniform(2, 0, 3);
      const logits = [gap!, 0, 0, -behind!];
      const outputs = Array.from(rng.normal(4), (value) => [value]);
      const distance = Math.abs(outputs[1]![0]! - outputs[2]![0]!);
      for (const normalise of ['chosen', 'none'] as const) {
        const jump = Math.abs(routeJump({ gateLogits: logits, outputs, from: [0, 1], to: [0, 2], normalise })[0]!);
        expect(jump).toBeLessThanOrEqual(jumpBound(apart(distance), { topK: 2, normalise }).value);
      }
    }
  });
});
