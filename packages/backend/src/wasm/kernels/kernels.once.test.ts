import {
  type Tensor,
  add,
  backend,
  batchNorm,
  broadcastTo,
  cast,
  clone,
  concat,
  conv2d,
  div,
  einsum,
  equal,
  fused,
  gather,
  grad,
  greater,
  greaterEqual,
  leakyRelu,
  less,
  lessEqual,
  matMul,
  maxPool,
  maximum,
  mean,
  minimum,
  mul,
  notEqual,
  oneHot,
  relu,
  reverse,
  setBackend,
  sign,
  slice,
  split,
  squaredDifference,
  stridedSlice,
  sub,
  sum,
  tensor,
  tidy,
  tile,
  unsortedSegmentSum,
  where,
} from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createRng } from '@moe/core';
import { useBackend } from '../../use-backend.js';
import { expectAgreement, normals } from '../agreement.js';

beforeAll(async () => {
  await useBackend('cpu');
  await useBackend('wasm');
});

const seed = fc.integer({ min: 1, max: 1e6 });
const shape = (minLength: number, maxLength: number) => fc.array(fc.integer({ min: 1, max: 5 }), { minLength, maxLength });

/** Runs a property over both engines with a fixed seed. */
function forAll<T extends [unknown, ...unknown[]]>(arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> }, build: (...values: T) => Tensor, numRuns = 40): Promise<void> {
  return fc.assert(fc.asyncProperty(...arbitraries, (...values: T) => expectAgreement(() => tidy(() => build(...values)))), { seed: 7, numRuns });
}

/** Small whole numbers, so that ties and zeros are common. */
const integers = (of: number[], from: number, dtype: 'float32' | 'int32' = 'float32'): Tensor =>
  tensor(createRng(from).integers(of.reduce((a, b) => a * b, 1), 5).map((value) => value - 2), of, dtype);

/** Two shapes that broadcast together. */
const pair = fc.tuple(shape(1, 6), fc.array(fc.constantFrom('both', 'left', 'right'), { minLength: 6, maxLength: 6 }), fc.integer({ min: 0, max: 5 }), fc.boolean()).map(([full, kept, dropped, swap]) => {
  const left = full.map((size, i) => (kept[i] === 'right' ? 1 : size));
  const right = full.map((size, i) => (kept[i] === 'left' ? 1 : size)).slice(Math.min(dropped, full.length));
  return (swap ? [right, left] : [left, right]) as [number[], number[]];
});

describe('binary kernels', () => {
  it.each(Object.entries({ add, sub, mul, div, maximum, minimum, squaredDifference }))('%s agrees with the cpu engine for any two shapes', (_, operation) =>
    forAll([pair, seed], ([left, right], from) => operation(normals(left, from), normals(right, from + 1))),
  );

  it('leave integers to the stock kernels', () => forAll([pair, seed], ([left, right], from) => add(integers(left, from, 'int32'), integers(right, from + 1, 'int32')), 10));
});

describe('comparison kernels', () => {
  it.each(Object.entries({ equal, notEqual, greater, greaterEqual, less, lessEqual }))('%s agrees with the cpu engine for any two shapes', (_, operation) =>
    forAll([pair, seed], ([left, right], from) => operation(integers(left, from), integers(right, from + 1)), 20),
  );

  it('compare with a number', () => forAll([shape(0, 4), seed], (of, from) => greater(integers(of, from), 0), 20));
});

describe('sign and select', () => {
  it('sign agrees with the cpu engine', () => forAll([shape(1, 4), seed], (of, from) => sign(integers(of, from))));
  it('select agrees with the cpu engine', () => forAll([shape(1, 4), seed], (of, from) => where(greater(normals(of, from), 0), normals(of, from + 1), normals(of, from + 2))));
});

describe('gradients of ReLUs', () => {
  it.each<[string, (x: Tensor) => Tensor]>([['relu', relu], ['leakyRelu', (x) => leakyRelu(x, 0.3)]])('%s agrees with the cpu engine', (_, operation) =>
    forAll([shape(1, 4), seed], (of, from) => grad(operation)(normals(of, from), normals(of, from + 1))));
});

describe('reductions', () => {
  const case_ = fc.tuple(shape(1, 5), fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), fc.boolean(), seed);
  it.each([['sum', sum], ['mean', mean]] as const)('%s agrees with the cpu engine over any axes', (_, operation) =>
    forAll([case_], ([of, chosen, keepDims, from]) => operation(normals(of, from), of.flatMap((_, i) => (chosen[i] ? [i] : [])), keepDims), 80),
  );

  it('keeps its precision over a million values', () => {
    // 1 + 2⁻¹⁶ is exact in float32; a plain running sum in float32 is off by more than 1e-4 of the total.
    const values = tensor(new Float32Array(1 << 20).fill(1 + 2 ** -16), [1 << 18, 4]);
    expect(sum(values, 0)).toBeAllClose(Array.from({ length: 4 }, () => (1 << 18) * (1 + 2 ** -16)), { rtol: 1e-6 });
    expect(sum(values)).toBeAllClose((1 << 20) * (1 + 2 ** -16), { rtol: 1e-6 });
    values.dispose();
  });
});

describe('kernels that move values', () => {
  const box = shape(1, 6).chain((of) => fc.record({ of: fc.constant(of), cuts: fc.array(fc.tuple(fc.nat(4), fc.nat(4), fc.integer({ min: 1, max: 3 })), { minLength: 6, maxLength: 6 }), from: seed }));

  it('slice agrees with the cpu engine', () =>
    forAll([box], ({ of, cuts, from }) => {
      const begin = of.map((size, i) => cuts[i]![0] % size);
      return slice(normals(of, from), begin, of.map((size, i) => 1 + (cuts[i]![1] % (size - begin[i]!))));
    }, 60));

  it('stridedSlice agrees with the cpu engine, backwards too', () =>
    forAll([box, fc.boolean()], ({ of, cuts, from }, backwards) => {
      const dims = of.slice(0, 4);
      const begin = dims.map((size, i) => (backwards ? size - 1 : cuts[i]![0] % size));
      const end = dims.map((size) => (backwards ? -size - 1 : size));
      return stridedSlice(normals(dims, from), begin, end, dims.map((_, i) => (backwards ? -1 : 1) * cuts[i]![2]));
    }, 60));

  it('stridedSlice masks, and shrinks axes', () => {
    // x[1, :3:2, 1::2]; the cpu engine mixes up the axes when one of them goes.
    tidy(() => {
      const x = tensor(Array.from({ length: 60 }, (_, i) => i), [3, 4, 5]);
      const part = stridedSlice(x, [1, 9, 1], [2, 3, 0], [1, 2, 2], 2, 4, 0, 0, 1);
      expect(part).toHaveShape([2, 2]);
      expect(part).toBeAllClose([21, 23, 31, 33]);
    });
  });
  it.each<[string, number[], number | number[], number]>([
    ['in equal pieces along the last axis', [2, 3, 4], 2, 2],
    ['in uneven pieces, one of them the rest, along the first', [7, 3], [2, -1, 1], 0],
    ['in rank 5, along the middle', [2, 3, 4, 3, 2], [1, 3], 2],
    ['in empty pieces', [4, 2], [0, 4, 0], 0],
  ])('split agrees with the cpu engine: %s', (_name, shapeOf, pieces, axis) => expectAgreement(() => tidy(() => concat(split(normals(shapeOf, 1), pieces, axis).reverse(), axis))));
  it('slice takes nothing', () => expectAgreement(() => tidy(() => slice(normals([3, 4], 1), [1, 2], [0, 2]))));

  it('reverse agrees with the cpu engine', () => forAll([shape(1, 4), fc.nat(3), seed], (of, axis, from) => reverse(normals(of, from), axis % of.length)));
  it('tile agrees with the cpu engine', () => forAll([shape(1, 4), shape(4, 4), seed], (of, reps, from) => tile(normals(of, from), reps.slice(0, of.length))));
  it('broadcastTo agrees with the cpu engine', () => forAll([shape(1, 4), seed], (of, from) => broadcastTo(normals(of.map((size, i) => (i % 2 === 0 ? 1 : size)), from), of)));

  it('concat agrees with the cpu engine along any axis', () =>
    forAll([shape(1, 5), fc.nat(4), fc.array(fc.nat(3), { minLength: 2, maxLength: 4 }), seed], (of, axis, sizes, from) => {
      const along = axis % of.length;
      return concat([1, ...sizes].map((size, k) => normals(of.map((other, i) => (i === along ? size : other)), from + k)), along);
    }));

  it('gather agrees with the cpu engine along any axis', () =>
    forAll([shape(1, 4), fc.nat(3), shape(1, 2), seed], (of, axis, indexShape, from) => {
      const along = axis % of.length;
      const count = indexShape.reduce((a, b) => a * b, 1);
      return gather(normals(of, from), tensor(createRng(from).integers(count, of[along]!), indexShape, 'int32'), along);
    }));

  it('gather refuses an index outside', () => {
    tidy(() => {
      expect(() => gather(normals([3, 2], 1), tensor([0, 3], [2], 'int32'))).toThrow('the index value 3 is not in [0, 2]');
    });
  });
});

describe('shared memory', () => {
  it('outlives the tensor that it was cloned from', async () => {
    await setBackend('wasm');
    const engine = backend() as BackendWasm;
    const before = engine.numDataIds();
    const x = tensor([1, 2, 3]);
    const copies = [clone(x), cast(x, 'float32')];
    expect(engine.numDataIds()).toBe(before + 1);
    x.dispose();
    copies[0]!.dispose();
    expect(copies[1]!).toBeAllClose([1, 2, 3]);
    copies[1]!.dispose();
    expect(engine.numDataIds()).toBe(before);
  });
});

describe('matrix products', () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }));
  const flags = fc.tuple(fc.boolean(), fc.boolean());
  const factors = (M: number, K: number, N: number, [transposeA, transposeB]: [boolean, boolean], from: number, batch: [number[], number[]] = [[], []]): [Tensor, Tensor] => [
    normals([...batch[0], ...(transposeA ? [K, M] : [M, K])], from),
    normals([...batch[1], ...(transposeB ? [N, K] : [K, N])], from + 1),
  ];

  it('agree with the cpu engine for either flag', () =>
    forAll([sizes, flags, seed], ([M, K, N], flag, from) => matMul(...factors(M, K, N, flag, from), ...flag), 80));

  it('agree in batches, one of them broadcast or not', () =>
    forAll([shape(1, 3), fc.constantFrom('left', 'right', 'both'), flags, seed], (batch, full, flag, from) =>
      matMul(...factors(3, 2, 9, flag, from, [full === 'right' ? [] : batch, full === 'left' ? [] : batch]), ...flag)));

  it('broadcast batches of either factor', () => {
    // Not against the cpu engine, which pairs the wrong matrices here.
    tidy(() => {
      const [a, b] = [normals([2, 3, 4, 5], 1), normals([2, 1, 5, 2], 2)];
      expect(matMul(a, b)).toBeAllClose(matMul(a, broadcastTo(b, [2, 3, 5, 2])));
    });
  });

  it.each(['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const)('agree with bias and activation: %s', (activation) =>
    forAll([flags, seed], ([transposeA, transposeB], from) => {
      const [a, b] = factors(5, 4, 3, [transposeA, transposeB], from);
      const preluActivationWeights = activation === 'prelu' ? { preluActivationWeights: normals([3], from + 3) } : {};
      return fused.matMul({ a, b, transposeA, transposeB, bias: normals([3], from + 2), activation, leakyreluAlpha: 0.3, ...preluActivationWeights });
    }, 8),
  );
});

describe('einsum', () => {
  it.each([
    ['ij,jk->ik', [2, 3], [3, 4]], ['bij,bjk->bik', [2, 3, 4], [2, 4, 5]], ['ij,ij->', [3, 4], [3, 4]], ['ij,j->i', [3, 4], [4]], ['i,j->ji', [3], [4]],
    ['ijk,jl->li', [2, 3, 4], [3, 5]], ['btd,ed->bte', [2, 3, 4], [5, 4]], ['abc,cd->abd', [2, 3, 4], [4, 2]],
  ])('agrees with the cpu engine: %s', (equation, left, right) => expectAgreement(() => tidy(() => einsum(equation, normals(left, 1), normals(right, 2)))));

  it('sums over everything', () => {
    // Not against the cpu engine, which leaves an axis.
    tidy(() => {
      expect(einsum('ab,bc->', tensor([[1, 2]]), tensor([[1, 2, 3], [4, 5, 6]]))).toHaveShape([]);
      expect(einsum('ab,bc->', tensor([[1, 2]]), tensor([[1, 2, 3], [4, 5, 6]]))).toBeAllClose(6 + 2 * 15);
    });
  });

  it.each([['ij->ji', [2, 3]], ['ijk->j', [2, 3, 4]], ['ij->ij', [2, 3]], ['ij->', [2, 3]]])('agrees for one tensor: %s', (equation, of) =>
    expectAgreement(() => tidy(() => einsum(equation, normals(of, 1)))),
  );
});

describe('conv2d', () => {
  const layouts = fc.record({
    of: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 3, max: 9 }), fc.integer({ min: 3, max: 9 }), fc.integer({ min: 1, max: 9 })),
    co: fc.integer({ min: 1, max: 20 }),
    kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    step: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    dilated: fc.boolean(),
    pad: fc.constantFrom('same', 'valid', 1, 2),
    from: seed,
  });

  it('agrees with the cpu engine for any stride, dilation and padding', () =>
    forAll([layouts], ({ of, co, kernel, step, dilated, pad, from }) => {
      const [x, filter] = [normals(of, from), normals([...kernel, of[3], co], from + 1)];
      const wide = dilated ? kernel.map((size, i) => (size - 1) * step[i]! + 1) : kernel;
      const fits = wide[0]! <= of[1] && wide[1]! <= of[2];
      const padding = fits ? pad : 'same';
      const rounding = typeof padding === 'number' ? 'floor' : undefined;
      return conv2d(x as never, filter as never, dilated ? 1 : step, padding as 'same', 'NHWC', dilated ? step : 1, rounding);
    }, 150));

  it('knows channels first', () =>
    forAll([layouts], ({ of: [b, h, w, c], co, kernel, step, from }) => conv2d(normals([b, c, h, w], from) as never, normals([...kernel, c, co], from + 1) as never, step, 'same', 'NCHW'), 30));
});

describe('batchNorm', () => {
  it('agrees with the cpu engine, with and without scale and offset', () =>
    forAll([shape(2, 4), fc.boolean(), fc.boolean(), seed], (of, shifted, scaled, from) => {
      const channels = [of.at(-1)!];
      const variance = add(mul(normals(channels, from + 1), normals(channels, from + 1)), 0.1);
      const [offset, scale] = [shifted ? normals(channels, from + 2) : undefined, scaled ? normals(channels, from + 3) : undefined];
      return batchNorm(normals(of, from), normals(channels, from + 4) as never, variance as never, offset as never, scale as never);
    }));
});

describe('gradient of maxPool', () => {
  it('agrees with the cpu engine, ties included', () =>
    forAll(
      [fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 3, max: 8 }), fc.integer({ min: 3, max: 8 }), fc.integer({ min: 1, max: 5 })), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.constantFrom('same', 'valid'), seed],
      (of, size, strides, pad, from) => {
        const x = integers(of, from);
        const pool = (t: Tensor): Tensor => maxPool(t as never, size, strides, pad);
        return grad(pool)(x, normals(pool(x).shape, from + 1));
      },
    ));
});

describe('unsortedSegmentSum', () => {
  it('agrees with the cpu engine, ids outside dropped', () =>
    forAll([shape(1, 3), seed], (of, from) => unsortedSegmentSum(integers(of, from), tensor(createRng(from).integers(of[0]!, 6).map((id) => id - 1), [of[0]!], 'int32') as never, 3)));

  it('keeps integers integers', () => {
    tidy(() => {
      const sums = unsortedSegmentSum(tensor([[1, 2], [3, 4], [5, 6]], [3, 2], 'int32'), tensor([1, 1, 0], [3], 'int32') as never, 2);
      expect(sums.dtype).toBe('int32');
      expect(sums).toBeAllClose([5, 6, 4, 6]);
    });
  });
});

describe('OneHot', () => {
  it('has the type and the values that were asked for, out-of-range indices included', async () => {
    for (const dtype of ['float32', 'int32', 'bool'] as const) {
      await expectAgreement(() => tidy(() => oneHot(tensor([[0, 2, -1], [3, 1, 5]], [2, 3], 'int32'), 4, 1, 0, dtype)));
    }
    await expectAgreement(() => tidy(() => oneHot(tensor([1, 0], [2], 'int32'), 2, 0.5, -3, 'float32')));
  });
});
