import { type Tensor2D, type Tensor3D, type Tensor4D, concat, depthwiseConv2d, image as images, onesLike, pad, reshape, slice, square, sub, tensor1d, tensor2d, tensor3d, tensor4d, tidy, tile } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { pgd } from '../pgd.js';
import { counted, linearModel, predictions, tinyNet } from '../testing/models.js';
import { createShrink, drawShrink, shrink, unshrink } from './input-diversity.js';
import { type MifgsmOptions, mifgsm } from './mifgsm.js';
import { gaussianKernel, smooth } from './smooth.js';

const image = { height: 10, width: 7, channels: 2 };
const SIZE = 140;

describe('shrink', () => {
  it.each([[9, 6, 0, 0], [9, 6, 1, 1], [4, 3, 5, 2], [10, 7, 0, 0]] as const)('to %i × %i is the bilinear picture of tfjs, padded', (height, width, top, left) => {
    const values = createRng(1).uniform(SIZE);
    const small = new Float32Array(SIZE);
    shrink(createShrink(image, height, width, top, left), values, small);
    tidy(() => {
      const picture = images.resizeBilinear(tensor3d(values, [10, 7, 2]), [height, width], false, true);
      const padded = pad(picture, [[top, 10 - height - top], [left, 7 - width - left], [0, 0]]) as Tensor3D;
      expect(small).toBeAllClose(padded, { atol: 1e-5 });
    });
  });

  it('has the transposed map as its gradient', () => {
    const [x, y] = [createRng(1).normal(SIZE), createRng(2).normal(SIZE)];
    const [forward, backward] = [new Float32Array(SIZE), new Float32Array(SIZE)];
    const by = createShrink(image, 8, 5, 1, 2);
    shrink(by, x, forward);
    unshrink(by, y, backward);
    const dot = (a: Float32Array, b: Float32Array): number => a.reduce((total, value, i) => total + value * b[i]!, 0);
    expect(dot(forward, y)).toBeCloseTo(dot(x, backward), 4);
  });

  it('is drawn with its probability, in every size from nine tenths on, and every place', () => {
    const draws = Array.from({ length: 2000 }, (_, i) => drawShrink({ height: 32, width: 32, channels: 1 }, 0.5, createRng(1).at(i)));
    const shrunk = draws.filter((draw) => draw !== undefined);
    expect(shrunk.length / 2000).toBeWithin(0.45, 0.55);
    expect(new Set(shrunk.map(({ rows }) => rows.first.length))).toEqual(new Set([28, 29, 30, 31]));
    expect(shrunk.every(({ rows, columns }) => rows.first.length === columns.first.length)).toBe(true);
    const smallest = shrunk.filter(({ rows }) => rows.first.length === 28);
    for (const side of ['top', 'left'] as const) expect(new Set(smallest.map((draw) => draw[side]))).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(drawShrink(image, 0, createRng(1))).toBeUndefined();
  });
});

describe('smooth', () => {
  it('has the kernel of 15 × 15 that was released', () => {
    const kernel = gaussianKernel(15);
    expect(kernel[7]! ** 2).toBeCloseTo(0.02930283, 8);
    expect(kernel[0]! ** 2).toBeCloseTo(3.62e-6, 8);
    expect(Array.from(gaussianKernel(1))).toEqual([1]);
  });

  it.each([3, 7, 15])('is the depthwise convolution with it, width %i', (width) => {
    const values = createRng(1).normal(SIZE);
    const smoothed = values.slice();
    const kernel = gaussianKernel(width);
    smooth(image, kernel, smoothed);
    tidy(() => {
      const plane = tensor4d(Array.from(kernel, (a) => Array.from(kernel, (b) => a * b)).flat(), [width, width, 1, 1]);
      expect(smoothed).toBeAllClose(depthwiseConv2d(tensor4d(values, [1, 10, 7, 2]), tile(plane, [1, 1, 2, 1]) as Tensor4D, 1, 'same'), { atol: 1e-5 });
    });
  });
});

// The loss -(x - 0.6)² rises until 0.6 and falls beyond.
const hill: LogitsFn = (x) => concat([square(sub(x, 0.6)), onesLike(x)], 1) as Tensor2D;

/** Points at which a model was run, in order. */
function pathOf(attack: Attack, model: LogitsFn, input: number[]): number[] {
  const path: number[] = [];
  const watched: LogitsFn = (x, draw) => (path.push(...x.dataSync()), model(x, draw));
  tidy(() => void attack.perturb(watched, tensor2d([input]), tensor1d([0], 'int32'), { rng: createRng(1) }));
  return path;
}

describe('mifgsm', () => {
  const options = { eps: 0.4, steps: 5, stepSize: 0.075, loss: 'cw', goal: 'lastStep' } satisfies MifgsmOptions;

  it.each([
    // Signs of the slope + + - - -, their sums 1 2 1 0 -1.
    [{}, [0.5, 0.575, 0.65, 0.725, 0.725, 0.65]],
    // Halved before each slope is added: 1, 3/2, -1/4, 7/8, -9/16.
    [{ momentum: 0.5 }, [0.5, 0.575, 0.65, 0.575, 0.65, 0.575]],
    [{ momentum: 0 }, [0.5, 0.575, 0.65, 0.575, 0.65, 0.575]],
    // Looks ahead of 0.5, 0.575, 0.575, 0.65, 0.65 by sums 0, 1, 0, 1, 0: slopes + - + - -.
    [{ nesterov: true }, [0.5, 0.65, 0.575, 0.725, 0.65, 0.575]],
  ] as [Partial<MifgsmOptions>, number[]][])('%j has the path worked out by hand', (change, expected) => {
    expect(pathOf(mifgsm({ ...options, ...change }), hill, [0.5])).toBeAllClose(expected, { atol: 1e-6 });
  });

  it('weighs gradients by the mean of their absolute slopes', () => {
    // Slopes (0.03, -0.04) → (6/7, -8/7), twice; a third gradient of (0.9, 0) → (2, 0) would turn neither sign, so the path is straight.
    const plane = linearModel([[0, 0.03], [0, -0.04]], [9, 0]);
    const path = pathOf(mifgsm({ eps: 0.4, steps: 2, stepSize: 0.1, norm: 'L2', loss: 'cw', goal: 'lastStep' }), plane, [0.5, 0.5]);
    expect(path).toBeAllClose([0.5, 0.5, 0.56, 0.42, 0.62, 0.34], { atol: 1e-6 });
  });

  const net = tinyNet(6, 3, 7);
  const inputs = createRng(3).uniform(6 * 24);
  const perturb = (attack: Attack, model = net, shape: readonly number[] = [24, 6]) =>
    tidy(() => {
      const x = shape.length === 4 ? tensor4d(inputs.slice(), shape as [number, number, number, number]) : tensor2d(inputs.slice(), [24, 6]);
      const { adversarial, success } = attack.perturb(model, x, tensor1d(predictions(net, x), 'int32'), { rng: createRng(1) });
      return { adversarial: Array.from(adversarial.dataSync()), success: Array.from(success.dataSync()) };
    });

  it('is BIM without momentum', () => {
    expect(perturb(mifgsm({ eps: 0.08, momentum: 0 }))).toEqual(perturb(pgd({ eps: 0.08, steps: 10, stepSize: 0.008, start: 'none' })));
  });

  it.each([
    [{}, [7, 6]],
    [{ translation: 3 }, [7, 6]],
    [{ nesterov: true }, [8, 6]],
    [{ diversity: 0.5 }, [8, 6]],
    [{ diversity: 0.5, nesterov: true, translation: 3, goal: 'maxLoss' }, [7, 6]],
    [{ target: 'runner-up' }, [8, 6]],
  ] as [Partial<MifgsmOptions>, [number, number]][])('%j costs %j passes forward and backward', (change, [forward, backward]) => {
    const { counts, wrapped } = counted(net);
    perturb(mifgsm({ eps: 1e-5, steps: 6, ...change }), wrapped, [24, 2, 3, 1]);
    expect(counts).toMatchObject({ forward, backward });
  });

  it('attacks the smaller picture, along the gradient at the image itself', () => {
    // The loss is the brightness of one pixel; seen through a smaller picture it has slopes at up to four.
    const one: LogitsFn = (x) => {
      const pixel = reshape(slice(x, [0, 4, 4, 0], [x.shape[0]!, 1, 1, 1]), [x.shape[0]!, 1]);
      return concat([pixel, onesLike(pixel)], 1) as Tensor2D;
    };
    const changed = (diversity: number): number =>
      tidy(() => {
        const x = tensor4d(new Float32Array(100).fill(0.5), [1, 10, 10, 1]);
        const { adversarial } = mifgsm({ eps: 0.1, steps: 1, loss: 'cw', diversity, goal: 'lastStep' }).perturb(one, x, tensor1d([1], 'int32'), { rng: createRng(1) });
        return Array.from(adversarial.dataSync()).filter((value) => value > 0.5).length;
      });
    expect(changed(0)).toBe(1);
    expect(changed(1)).toBeWithin(2, 4);
  });

  it.each([
    [{ momentum: -1 }, /momentum must be a finite number ≥ 0/],
    [{ diversity: 2 }, /diversity must be a finite number in \[0, 1\]/],
    [{ translation: 4 }, /translation must be odd, got 4/],
    [{ loss: 'kl' }, /loss must not be 'kl'/],
    [{ nesterov: 1 }, /nesterov must be true or false/],
    [{ start: 'uniform' }, /unknown option 'start'/],
  ] as [Partial<MifgsmOptions>, RegExp][])('refuses %j', (change, message) => {
    expect(() => mifgsm({ eps: 0.1, ...change })).toThrow(message);
  });
});
