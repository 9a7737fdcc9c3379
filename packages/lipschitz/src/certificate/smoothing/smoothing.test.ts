import { type ForwardResult, type LogitsFn, type MoeLogitsFn, type MoeModel, isMoeError } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor2D, add, cast, concat, greaterEqual, matMul, mul, neg, ones, oneHot, reshape, scalar, slice, softmax, argMax, sub, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { regionCertificate } from '../region-certificate.js';
import { certifySmoothed } from './certify-smoothed.js';
import { certifySmoothedRoutes } from './certify-smoothed-routes.js';
import type { SmoothingOptions } from './options.js';

const WEIGHTS = [3, -4];
const FEW: SmoothingOptions = { sigma: 0.5, seed: 1, selectionDraws: 50, draws: 1000 };

/** Two logits, ±⟨(3, −4), x⟩. */
const linear: LogitsFn = (inputs) =>
  tidy(() => {
    const score = matMul(inputs as Tensor2D, tensor2d(WEIGHTS, [2, 1]));
    return concat([score, neg(score)], 1) as Tensor2D;
  });

/** Runs with the tensors of inputs; checks that nothing else is kept. */
async function certified(model: LogitsFn, rows: number[][], options: Partial<SmoothingOptions> = {}) {
  const inputs = tensor2d(rows);
  const results = await expectTensorsKept(0, () => certifySmoothed(model, inputs, { ...FEW, ...options }));
  inputs.dispose();
  return results;
}

/** Routes by the sign of the first number, to experts that put out (1, 0) and (0, 1); the route of the model above 0 is expert 0. */
function steps(overrides: Partial<MoeModel['moeLayers'][number]> = {}): MoeModel {
  return {
    moeLayers: [{ name: 'moe', numExperts: 2, topK: 1, batchInvariant: true, continuous: false, ...overrides }],
    forward: (inputs): ForwardResult => {
      const rows = inputs.shape[0]!;
      const gateLogits = tidy(() => {
        const first = slice(inputs as Tensor2D, [0, 0], [rows, 1]);
        return concat([first, neg(first)], 1) as Tensor2D;
      });
      const weights = (): Tensor2D => tidy(() => cast(oneHot(argMax(gateLogits, 1), 2), 'float32') as Tensor2D);
      return { logits: weights(), routing: [{ layer: 'moe', gateLogits, gates: softmax(gateLogits), combineWeights: weights(), auxLoss: scalar(0), droppedFraction: 0 }], auxLoss: scalar(0) };
    },
  };
}

const stepLogits = (inputs: Tensor): Tensor2D =>
  tidy(() => {
    const high = cast(greaterEqual(reshape(slice(inputs as Tensor2D, [0, 0], [inputs.shape[0]!, 1]), [-1]), tensor1d([0])), 'float32');
    return reshape(concat([reshape(high, [-1, 1]), reshape(sub(1, high), [-1, 1])], 1), [-1, 2]) as Tensor2D;
  });

describe('certifySmoothed', () => {
  it('comes close to the distance of a linear classifier, from below', async () => {
    // ⟨(3, −4), (0.2, 0.05)⟩ / 5 = 0.08, and 0.4 to the other side.
    const results = await certified(linear, [[0.2, 0.05], [0, 0.5]], { draws: 20_000, batchSize: 2048 });
    expect(results.map(({ prediction, status, norm, confidence }) => [prediction, status, norm, confidence])).toEqual([[0, 'smoothed', 'L2', 0.999], [1, 'smoothed', 'L2', 0.999]]);
    // 20,000 draws: the limit of a chance near ½ is about 3.1 · 0.0035 below it, so 0.5 · 2.5 · 0.011 of the radius.
    for (const [i, distance] of [0.08, 0.4].entries()) {
      expect(results[i]!.radius).toBeLessThan(distance);
      expect(results[i]!.radius).toBeGreaterThan(distance - 0.03);
    }
  });

  it('abstains where no class is surely the most frequent, and certifies more with more draws', async () => {
    const [centre] = await certified(linear, [[0, 0]]);
    expect(centre).toMatchObject({ radius: 0, status: 'abstained', reasons: [expect.stringContaining('not surely the most frequent')] });
    expect(centre).not.toHaveProperty('prediction');
    // A constant model: every draw agrees, so the radius is σ Φ⁻¹(α^(1/n)).
    const constant: LogitsFn = (inputs) => tidy(() => mul(ones([inputs.shape[0]!, 1]), tensor2d([[0, 1]])) as Tensor2D);
    const radius = async (draws: number) => (await certified(constant, [[0, 0]], { draws }))[0]!;
    expect((await radius(100)).radius).toBeCloseTo(0.5 * 1.5006, 3);
    expect((await radius(1000)).radius).toBeGreaterThan((await radius(100)).radius);
    expect(await radius(1000)).toMatchObject({ prediction: 1, count: 1000, draws: 1000 });
  });

  it('gives an input the same result for any batch size, alone or among others', async () => {
    const rows = [[0.1, 0.3], [0.2, 0.05], [-0.4, 0.2]];
    const all = await certified(linear, rows, { batchSize: 1000 });
    expect(await certified(linear, rows, { batchSize: 7 })).toEqual(all);
    expect(await certified(linear, [rows[2]!], { exampleIds: [2], batchSize: 64 })).toEqual([all[2]]);
    expect((await certified(linear, [rows[2]!]))[0]!.count).not.toBe(all[2]!.count);
    expect((await certified(linear, rows, { seed: 2 })).map(({ count }) => count)).not.toEqual(all.map(({ count }) => count));
  });

  it('certifies a hard-routed model around an input that lies on a jump between experts of one class', async () => {
    // Both experts say class 0, with a jump in its logit at the input itself.
    const jump: LogitsFn = (inputs) => tidy(() => add(stepLogits(inputs), tensor2d([[2, 0]])) as Tensor2D);
    const [first] = await certified(jump, [[0, 0]]);
    expect(first).toMatchObject({ status: 'smoothed', prediction: 0 });
    expect(first!.radius).toBeGreaterThan(1);
  });

  it('gives a randomised model noise of its own for every draw, whatever the batch', async () => {
    const noisy: LogitsFn = (inputs, draw) =>
      tidy(() => {
        const shifts = Float32Array.from(draw!.exampleIds, (id) => draw!.rng.at(id).normal(1)[0]!);
        return add(linear(inputs), matMul(reshape(tensor1d(shifts), [-1, 1]) as Tensor2D, tensor2d([[1, 0]]))) as Tensor2D;
      });
    const rows = [[0.2, 0.05]];
    const results = await certified(noisy, rows, { batchSize: 10, draws: 300 });
    expect(await certified(noisy, rows, { batchSize: 300, draws: 300 })).toEqual(results);
    expect((await certified(linear, rows, { draws: 300 }))[0]!.count).not.toBe(results[0]!.count);
  });

  it('refuses a model whose routing depends on the batch, and stops on a signal, keeping no tensor', async () => {
    const moe = steps({ batchInvariant: false, name: 'layer4.0' });
    const model: MoeLogitsFn = Object.assign((inputs: Tensor) => stepLogits(inputs), { moe });
    await expect(certified(model, [[0, 0]])).rejects.toThrow("certifySmoothed: layer 'layer4.0' must route each row by that row alone");
    const controller = new AbortController();
    let passes = 0;
    const aborting: LogitsFn = (inputs) => {
      if (++passes === 3) controller.abort();
      return linear(inputs);
    };
    const inputs = tensor2d([[0, 0]]);
    const caught = await expectTensorsKept(0, () => certifySmoothed(aborting, inputs, { ...FEW, batchSize: 100, signal: controller.signal }).catch((error: unknown) => error));
    expect(isMoeError(caught, 'ABORTED')).toBe(true);
    expect(passes).toBe(3);
    const failing: LogitsFn = (rows) => {
      if (++passes > 5) throw new Error('no more');
      return linear(rows);
    };
    const failure = await expectTensorsKept(0, () => certifySmoothed(failing, inputs, { ...FEW, batchSize: 100 }).catch((error: unknown) => error));
    expect(failure).toMatchObject({ message: 'no more' });
    inputs.dispose();
  });

  it('refuses wrong options', async () => {
    await expect(certified(linear, [[0, 0]], { sigma: 0 })).rejects.toThrow('sigma must be a finite number ≥');
    await expect(certified(linear, [[0, 0]], { alpha: 0.6 })).rejects.toThrow('alpha must lie in (0, 0.5]');
    await expect(certified(linear, [[0, 0]], { exampleIds: [1, 2] })).rejects.toThrow('exampleIds must have 1 entries');
    await expect(certified(linear, [[0, 0]], { n: 3 } as object)).rejects.toThrow("unknown option 'n'");
  });
});

describe('certifySmoothedRoutes', () => {
  it('certifies the most frequent route, which a region certificate takes with its confidence', async () => {
    const inputs = tensor2d([[0.4, 9], [-0.3, 9], [0, 9]]);
    const routes = await expectTensorsKept(0, () => certifySmoothedRoutes(steps(), 'moe', inputs, { ...FEW, draws: 4000 }));
    inputs.dispose();
    expect(routes.map(({ layer, chosen, confidence }) => [layer, chosen, confidence])).toEqual([[[0]], [[1]], routes[2]!.chosen].map((chosen) => ['moe', chosen, 0.999]));
    // The route changes at 0, whatever the second number.
    for (const [i, distance] of [0.4, 0.3].entries()) {
      expect(routes[i]!.radius).toBeLessThan(distance);
      expect(routes[i]!.radius).toBeGreaterThan(distance - 0.06);
    }
    expect(routes[2]!.radius).toBe(0);
    const bounds = { value: 1, status: 'exact', norm: 'L2', domain: 'global', method: 'test' } as const;
    expect(regionCertificate({ routes: [routes[0]!], margins: [5], bounds })).toMatchObject({ radius: routes[0]!.radius, confidence: 0.999, status: 'route-stable' });
  });

  it('keeps the routes of several tokens together', async () => {
    const model = steps();
    const tokens: MoeModel = { ...model, forward: (inputs) => model.forward(tidy(() => reshape(inputs, [inputs.shape[0]! * 2, 1]))) };
    const inputs = tensor2d([[2, -2]]);
    const [route] = await certifySmoothedRoutes(tokens, 'moe', inputs, FEW);
    inputs.dispose();
    expect(route!.chosen).toEqual([[0], [1]]);
    expect(route!.radius).toBeGreaterThan(1);
    expect(route!.radius).toBeLessThan(2);
  });

  it('refuses an unknown layer, and one whose routing depends on the batch', async () => {
    const inputs = tensor2d([[0, 0]]);
    await expect(certifySmoothedRoutes(steps(), 'other', inputs, FEW)).rejects.toThrow("layer must be one of moe, got 'other'");
    await expect(certifySmoothedRoutes(steps({ batchInvariant: false }), 'moe', inputs, FEW)).rejects.toThrow("layer 'moe' must route each row by that row alone");
    inputs.dispose();
  });
});
