import {
  type Scalar,
  type Tensor,
  type Tensor4D,
  type backend_util,
  batchNorm,
  conv2d,
  einsum,
  fused,
  grad,
  grads,
  mean,
  mul,
  pad,
  square,
  sum,
  tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { createRng } from '@moe/core';

type ExplicitPadding = backend_util.ExplicitPadding;

const normals = (shape: number[], seed: number): Tensor => tensor(createRng(seed).normal(shape.reduce((a, b) => a * b, 1)), shape);

describe('gradients of sum and mean', () => {
  it('spread the slope over the reduced axes', () => {
    tidy(() => {
      const x = normals([2, 3, 2], 1);
      const slope = tensor([1, 2, 3], [3]);
      expect(grad((t: Tensor) => sum(t, [0, 2]))(x, slope)).toBeAllClose([1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]);
      // Each of the 4 entries behind a mean has a quarter of its slope.
      expect(grad((t: Tensor) => mean(t, [0, -1]))(x, slope)).toBeAllClose([0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75]);
      expect(grad((t: Tensor) => mean(t))(x)).toBeAllClose(Array.from({ length: 12 }, () => 1 / 12));
    });
  });

  it('can be differentiated again', () => {
    tidy(() => {
      const x = tensor([1, 2, 3]);
      // d²/dx² of (Σx)² along ones: 2·n in every entry.
      expect(grad((t: Tensor) => sum(grad((u: Tensor) => square(sum(u)))(t)))(x)).toBeAllClose([6, 6, 6]);
      expect(grad((t: Tensor) => sum(grad((u: Tensor) => square(mean(u)))(t)))(x)).toBeAllClose([2 / 3, 2 / 3, 2 / 3]);
    });
  });
});

describe('gradient of batch norm with given statistics', () => {
  const inputs = (): [Tensor4D, Tensor, Tensor, Tensor, Tensor] => [normals([2, 2, 3, 2], 1) as Tensor4D, normals([2], 2), tensor([0.5, 2]), normals([2], 3), normals([2], 4)];
  const names = ['x', 'mean', 'variance', 'offset', 'scale'] as const;

  it.each(names)('agrees with central differences: %s', (name) => {
    tidy(() => {
      const all = inputs();
      const weights = normals([2, 2, 3, 2], 5);
      const at = names.indexOf(name);
      const loss = (t: Tensor): Scalar => {
        const [x, m, v, offset, scale] = all.map((input, i) => (i === at ? t : input)) as typeof all;
        return sum(mul(batchNorm(x, m as never, v as never, offset as never, scale as never, 1e-3), weights));
      };
      expectGradient(loss, all[at]!);
    });
  });

  it('works for statistics of rank 4', () => {
    tidy(() => {
      const [x, m, v, , scale] = inputs();
      const weights = normals(x.shape, 5);
      const [centre, spread, factor] = [m, v, scale].map((t) => tensor(t.dataSync(), [1, 1, 1, 2])) as [Tensor4D, Tensor4D, Tensor4D];
      expectGradient((t) => sum(mul(batchNorm(x, t as Tensor4D, spread, factor, factor), weights)), centre);
    });
  });

  it('can be differentiated again', () => {
    tidy(() => {
      const [x, m, v, offset, scale] = inputs();
      const slope = (t: Tensor): Tensor => grad((u: Tensor) => sum(square(batchNorm(u as Tensor4D, m as never, v as never, offset as never, scale as never))))(t);
      expectGradient((t) => sum(mul(slope(t), normals(x.shape, 6))), x);
    });
  });
});

describe('gradient of conv2d', () => {
  it.each([[[1, 2], 'same'], [[2, 2], 'valid'], [[3, 1], 'same']] as const)('knows dilated taps: %j %s', (dilations, padding) => {
    tidy(() => {
      const x = normals([2, 7, 6, 2], 1) as Tensor4D;
      const filter = normals([3, 2, 2, 3], 2) as Tensor4D;
      const convolve = (images: Tensor4D, taps: Tensor4D): Tensor4D => conv2d(images, taps, 1, padding, 'NHWC', [...dilations]);
      const weights = normals(convolve(x, filter).shape, 3);
      expectGradient((t) => sum(mul(convolve(t as Tensor4D, filter), weights)), x);
      expectGradient((t) => sum(mul(convolve(x, t as Tensor4D), weights)), filter);
    });
  });

  it('can be differentiated again, in its input and its filter', () => {
    tidy(() => {
      const x = normals([1, 5, 4, 2], 1) as Tensor4D;
      const filter = normals([3, 3, 2, 2], 2) as Tensor4D;
      const loss = (images: Tensor, taps: Tensor): Scalar => sum(square(conv2d(images as Tensor4D, taps as Tensor4D, 2, 'same')));
      expectGradient((t) => sum(mul(grad((u: Tensor) => loss(u, t))(x), normals(x.shape, 3))), filter, { rtol: 2e-2 });
      expectGradient((t) => sum(mul(grad((u: Tensor) => loss(t, u))(filter), normals(filter.shape, 4))), x, { rtol: 2e-2 });
      expectGradient((t) => sum(mul(grad((u: Tensor) => loss(x, u))(t), normals(filter.shape, 4))), filter, { rtol: 2e-2 });
    });
  });

  it.each<[string, 1 | 2, number | ExplicitPadding]>([
    ['as PyTorch pads', 2, 1],
    ['wider than the kernel needs', 1, 2],
    ['side by side', 2, [[0, 0], [1, 0], [0, 2], [0, 0]]],
  ])('takes padding in numbers, and can be differentiated again: %s', (_name, stride, padding) => {
    tidy(() => {
      const x = normals([2, 6, 4, 2], 1) as Tensor4D;
      const filter = normals([3, 3, 2, 3], 2) as Tensor4D;
      const [top, bottom, left, right] = typeof padding === 'number' ? [padding, padding, padding, padding] : [...padding[1], ...padding[2]];
      const convolve = (images: Tensor, taps: Tensor): Tensor4D => conv2d(images as Tensor4D, taps as Tensor4D, stride, padding, 'NHWC', 1, typeof padding === 'number' ? 'floor' : undefined);
      const inTwo = (images: Tensor, taps: Tensor): Tensor4D => conv2d(pad(images as Tensor4D, [[0, 0], [top!, bottom!], [left!, right!], [0, 0]]), taps as Tensor4D, stride, 'valid');
      const weights = normals(inTwo(x, filter).shape, 3);
      expect(convolve(x, filter)).toBeAllClose(inTwo(x, filter), { rtol: 1e-4, atol: 1e-5 });
      const gradients = (fn: typeof convolve): Tensor[] => grads((a: Tensor, b: Tensor) => sum(mul(square(fn(a, b)), weights)))([x, filter]);
      const expected = gradients(inTwo);
      gradients(convolve).forEach((t, i) => expect(t).toBeAllClose(expected[i]!, { rtol: 1e-3, atol: 1e-3 }));
      expectGradient((t) => sum(mul(convolve(t, filter), weights)), x);
      expectGradient((t) => sum(mul(convolve(x, t), weights)), filter);
      expectGradient((t) => sum(mul(grad((u: Tensor) => sum(square(convolve(u, t))))(x), normals(x.shape, 4))), filter, { rtol: 2e-2, atol: 1e-2 });
      expectGradient((t) => sum(mul(grad((u: Tensor) => sum(square(convolve(t, u))))(filter), normals(filter.shape, 5))), x, { rtol: 2e-2, atol: 1e-2 });
    });
  });

  it('reaches a fused convolution, as layers make it', () => {
    tidy(() => {
      const x = normals([1, 4, 4, 2], 1) as Tensor4D;
      const filter = normals([3, 3, 2, 2], 2) as Tensor4D;
      const loss = (images: Tensor, taps: Tensor): Scalar => sum(square(fused.conv2d({ x: images as Tensor4D, filter: taps as Tensor4D, strides: 1, pad: 'same' })));
      expectGradient((t) => loss(t, filter), x);
      expectGradient((t) => loss(x, t), filter);
    });
  });

  it('keeps nothing but the gradients', () => {
    const [x, filter] = [normals([1, 5, 5, 2], 1), normals([3, 3, 2, 2], 2)];
    const both = expectTensorsKept(2, () => grads((a: Tensor, b: Tensor) => sum(square(conv2d(a as Tensor4D, b as Tensor4D, 1, 'same', 'NHWC', 2))))([x, filter]));
    [x, filter, ...both].forEach((t) => t.dispose());
  });
});

describe('gradient of einsum', () => {
  it.each([['ij,jk->ik', [2, 3], [3, 4]], ['bij,bjk->bik', [2, 2, 3], [2, 3, 2]], ['ij,j->i', [2, 3], [3]], ['i,j->ij', [2], [3]], ['ijk,jl->li', [2, 3, 2], [3, 2]]])(
    'agrees with central differences: %s',
    (equation, left, right) => {
      tidy(() => {
        const [a, b] = [normals(left, 1), normals(right, 2)];
        expectGradient((t) => sum(square(einsum(equation, t, b))), a);
        expectGradient((t) => sum(square(einsum(equation, a, t))), b);
      });
    },
  );

  it('works for one tensor', () => {
    tidy(() => expectGradient((t) => sum(square(einsum('ijk->ki', t))), normals([2, 3, 2], 1)));
  });
});
