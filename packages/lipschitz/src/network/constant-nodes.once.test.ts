import '@moe/testing';
import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { ACTIVATION_SLOPES, type ActivationName } from './activations.js';
import { activation, boundedMap, globalAveragePool, layerNorm, maxPool, relu, softmax } from './constant-nodes.js';
import { averagePool, l2Normalize, rmsNorm, sparsemax, upSample } from './closed-form-nodes.js';
import { concat } from './composite-nodes.js';
import { batchNorm, dense } from './linear-nodes.js';
import { productBound } from './product-bound.js';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const elu = (x: number): number => (x > 0 ? x : Math.expm1(x));

/** P(0 < N < x) by its series, which converges everywhere. */
function normalBelow(x: number): number {
  let [term, total] = [x, x];
  for (let k = 1; k < 300; k++) {
    term *= (-x * x * (2 * k - 1)) / (2 * k * (2 * k + 1));
    total += term;
  }
  return Math.abs(x) > 5 ? Math.sign(x) / 2 : total / Math.sqrt(2 * Math.PI);
}

const FUNCTIONS: Record<ActivationName, (x: number) => number> = {
  linear: (x) => x,
  relu: (x) => Math.max(0, x),
  relu6: (x) => Math.min(6, Math.max(0, x)),
  elu,
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  sigmoid,
  hardSigmoid: (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)),
  tanh: Math.tanh,
  softplus: (x) => Math.log1p(Math.exp(x)),
  softsign: (x) => x / (1 + Math.abs(x)),
  swish: (x) => x * sigmoid(x),
  gelu: (x) => x * (0.5 + normalBelow(x)),
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  mish: (x) => x * Math.tanh(Math.log1p(Math.exp(x))),
};

const l2 = (x: readonly number[]): number => Math.hypot(...x);
const minus = (x: readonly number[], y: readonly number[]): number[] => x.map((value, i) => value - y[i]!);

/** Largest ‖f(x) − f(y)‖ / ‖x − y‖ over close and distant pairs. */
function sampled(fn: (x: number[]) => number[], length: number, norm: (x: readonly number[]) => number): number {
  let largest = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const rng = createRng(seed);
    const x = Array.from(rng.normal(length));
    const step = Array.from(rng.normal(length, 0, seed % 2 ? 1e-3 : 1));
    const y = x.map((value, i) => value + step[i]!);
    largest = Math.max(largest, norm(minus(fn(y), fn(x))) / norm(step));
  }
  return largest;
}

describe('activation', () => {
  it.each(Object.keys(ACTIVATION_SLOPES) as ActivationName[])('has the largest slope of %s on a grid, and no less', (name) => {
    const fn = FUNCTIONS[name];
    let steepest = 0;
    for (let x = -12; x <= 12; x += 2e-3) steepest = Math.max(steepest, Math.abs(fn(x + 1e-4) - fn(x - 1e-4)) / 2e-4);
    const { value } = activation(name).bounds.L2!;
    expect(value).toBeGreaterThanOrEqual(steepest * (1 - 1e-9));
    expect(value / steepest).toBeLessThan(1.005);
  });

  it('rounds the two slopes without a short decimal up, never down', () => {
    let steepest = 0;
    // d/dx x σ(x) = σ + x σ (1 − σ), near its largest value.
    for (let x = 2.39; x < 2.41; x += 1e-6) steepest = Math.max(steepest, sigmoid(x) * (1 + x * (1 - sigmoid(x))));
    expect(activation('swish').bounds.L2).toMatchObject({ status: 'upper' });
    for (const excess of [ACTIVATION_SLOPES.swish - steepest, ACTIVATION_SLOPES.selu - 1.0507009873554805 * 1.6732632423543772]) {
      expect(excess).toBeGreaterThan(0);
      expect(excess).toBeLessThan(1e-9);
    }
  });

  it('refuses one that is not in the table', () => {
    expect(() => activation('cube' as 'relu')).toThrow("kind must be one of 'linear'");
  });
});

describe('closed forms', () => {
  it('ReLU is 1, and a leaky one its slope where that is steeper', () => {
    expect(relu().bounds).toMatchObject({ L2: { value: 1, status: 'exact' }, Linf: { value: 1 }, L1: { value: 1 } });
    expect(relu({ slope: -3 }).bounds.L2!.value).toBe(3);
  });

  it('global average pooling over 4 × 9 pixels is 1/6, 1 and 1/36', () => {
    const { bounds } = globalAveragePool({ height: 4, width: 9 });
    expect(bounds.L2!.value).toBeCloseTo(1 / 6, 14);
    expect(bounds.Linf!.value).toBe(1);
    expect(bounds.L1!.value).toBeCloseTo(1 / 36, 14);
    // Reached by the constant image: 36 ones of length 6 have mean 1.
    expect(bounds.L2!.value * 6).toBeGreaterThanOrEqual(1);
  });

  it('max pooling is 1 apart and √windows overlapping, which a single peak reaches', () => {
    expect(maxPool({ poolSize: 2 }).bounds.L2).toMatchObject({ value: 1, status: 'exact' });
    const { bounds } = maxPool({ poolSize: 3, strides: [1, 3] });
    // A pixel raised by 1 in a zero image raises the 3 windows it lies in: √3 in L2, 3 in L1, 1 in Linf.
    expect(bounds.L2!.value).toBeCloseTo(Math.sqrt(3), 14);
    expect(bounds.L1!.value).toBe(3);
    expect(bounds.Linf!.value).toBe(1);
  });

  it('batch norm is the largest |γ| / √(variance + ε)', () => {
    // 2/√(3+1) = 1, |−6|/√(8+1) = 2.
    const node = batchNorm({ gamma: [2, -6], variance: [3, 8], epsilon: 1 });
    expect(productBound(node).bound.value).toBeCloseTo(2, 12);
    expect(() => batchNorm({ variance: [-1], epsilon: 1e-3 })).toThrow('variance[0] + epsilon must be positive');
    expect(() => batchNorm({ gamma: [1], variance: [1, 1], epsilon: 1e-3 })).toThrow('gamma must have 2 entries');
  });

  it('layer norm is max |γ| / √ε, nearly reached close to a constant input, and has no other norm', () => {
    const [gamma, epsilon] = [[1, -2, 0.5, 1], 1e-4];
    const fn = (x: number[]): number[] => {
      const mean = x.reduce((a, b) => a + b) / x.length;
      const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
      return x.map((v, i) => (gamma[i]! * (v - mean)) / Math.sqrt(variance + epsilon));
    };
    const { bounds } = layerNorm({ gamma, epsilon });
    expect(bounds.L2!.value).toBeCloseTo(200, 10);
    expect(sampled(fn, 4, l2)).toBeLessThan(200);
    const slope = l2(minus(fn([0, 1e-6, 0, 0]), fn([0, -1e-6, 0, 0]))) / 2e-6;
    expect(slope).toBeGreaterThan(150);
    expect(() => productBound(layerNorm({ gamma, epsilon }), { norm: 'Linf' })).toThrow("'layerNorm' must have a constant in Linf, got L2");
  });

  it('softmax is 1/2 in every norm, reached between two classes', () => {
    const fn = (x: number[]): number[] => {
      const e = x.map(Math.exp);
      const total = e.reduce((a, b) => a + b);
      return e.map((v) => v / total);
    };
    const { bounds } = softmax();
    for (const [norm, measure] of [['L2', l2], ['Linf', (x: readonly number[]) => Math.max(...x.map(Math.abs))], ['L1', (x: readonly number[]) => x.reduce((a, b) => a + Math.abs(b), 0)]] as const) {
      expect(sampled(fn, 5, measure)).toBeLessThan(0.5);
      expect(bounds[norm]!.value).toBe(0.5);
      // At p = (1/2, 1/2): the Jacobian is [[1/4, −1/4], [−1/4, 1/4]], which doubles (1, −1) / 4.
      expect(measure(minus(fn([1e-4, -1e-4]), fn([-1e-4, 1e-4]))) / measure([2e-4, -2e-4])).toBeCloseTo(0.5, 6);
    }
  });
});

describe('boundedMap', () => {
  it('takes sound, global bounds only', () => {
    const sound = { value: 3, status: 'upper', norm: 'L2', domain: 'global', method: 'mine' } as const;
    expect(productBound(boundedMap({ name: 'mine', bounds: [sound] })).bound.value).toBeCloseTo(3, 14);
    // @ts-expect-error an estimate is no bound
    expect(() => boundedMap({ name: 'mine', bounds: [{ ...sound, status: 'estimate' }] })).toThrow("got 'estimate'");
    expect(() => boundedMap({ name: 'mine', bounds: [{ ...sound, domain: { norm: 'L2', radius: 1 } }] })).toThrow("must be 'global'");
    expect(() => boundedMap({ name: 'mine', bounds: [{ ...sound, value: NaN }] })).toThrow('value must be a finite number');
  });
});

describe('pools and normalisations', () => {
  it('average pooling is 1/√k apart, and the root of the largest share where windows overlap', () => {
    const { bounds } = averagePool({ inputSize: 4, poolSize: 2 });
    expect(bounds).toMatchObject({ L2: { status: 'exact' }, Linf: { value: 1 } });
    expect(bounds.L2!.value).toBeCloseTo(1 / 2, 14);
    expect(bounds.L1!.value).toBeCloseTo(1 / 4, 14);
    // Along one axis of 4 with windows of 3 and stride 1 ('same'): means over 2, 3, 3, 2 pixels; pixel 1 is in the first three, 1/2 + 1/3 + 1/3 = 7/6.
    const line = averagePool({ inputSize: [4, 1], poolSize: [3, 1], strides: 1, padding: 'same' });
    expect(line.bounds.L1!.value).toBeCloseTo(7 / 6, 14);
    expect(line.bounds.L2).toMatchObject({ status: 'upper' });
    expect(line.bounds.L2!.value).toBeCloseTo(Math.sqrt(7 / 6), 14);
  });

  it('upsampling repeats every pixel', () => {
    const { bounds } = upSample({ size: [2, 3] });
    expect([bounds.L2!.value, bounds.Linf!.value, bounds.L1!.value]).toEqual([expect.closeTo(Math.sqrt(6), 14), 1, 6]);
  });

  it('RMS norm and L2 normalisation are steepest at 0, and flatter far from it', () => {
    const rms = (x: number[]): number[] => {
      const root = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + 1e-2);
      return x.map((v, i) => ([1, -2, 1][i]! * v) / root);
    };
    expect(rmsNorm({ gamma: [1, -2, 1], epsilon: 1e-2 }).bounds.L2!.value).toBeCloseTo(20, 12);
    expect(sampled(rms, 3, l2)).toBeLessThan(20);
    expect(l2(minus(rms([0, 1e-6, 0]), rms([0, -1e-6, 0]))) / 2e-6).toBeCloseTo(20, 4);
    // Rows of length 3 at least: 2 / √(0.01 + 9/3).
    expect(rmsNorm({ gamma: [1, -2, 1], epsilon: 1e-2, smallestNorm: 3, features: 3 }).bounds.L2!.value).toBeCloseTo(2 / Math.sqrt(3.01), 12);
    expect(l2Normalize({ epsilon: 1e-4 }).bounds.L2!.value).toBeCloseTo(100, 12);
    expect(l2Normalize({ epsilon: 0, smallestNorm: 4 }).bounds.L2!.value).toBeCloseTo(1 / 4, 14);
    expect(() => l2Normalize({ epsilon: 0 })).toThrow('epsilon must be positive where rows may vanish');
  });

  it('outputs side by side: the root of squares, the largest, the sum', () => {
    const branches = [3, 4].map((value) => dense({ kernel: { shape: [1, 1], values: [value] } }));
    const by = (norm: 'L2' | 'Linf' | 'L1'): number => productBound(concat(branches), { norm }).bound.value;
    expect([by('L2'), by('Linf'), by('L1')]).toEqual([expect.closeTo(5, 10), expect.closeTo(4, 10), expect.closeTo(7, 10)]);
  });

  it('softmax at a temperature, and sparsemax', () => {
    expect(softmax('p', 3).bounds.Linf!.value).toBe(1.5);
    const project = (x: number[]): number[] => {
      const sorted = [...x].sort((a, b) => b - a);
      const sums = sorted.map((_, k) => (sorted.slice(0, k + 1).reduce((a, b) => a + b) - 1) / (k + 1));
      const k = sorted.findLastIndex((v, i) => v > sums[i]!);
      return x.map((v) => Math.max(0, v - sums[k]!));
    };
    expect(sampled(project, 4, l2)).toBeWithin(0.9, sparsemax().bounds.L2!.value + 1e-9);
  });
});
