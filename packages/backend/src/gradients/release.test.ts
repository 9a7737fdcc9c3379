import { type Tensor, add, clone, customGrad, grad, grads, memory, mul, onesLike, relu, scalar, sigmoid, square, sum, tensor1d, tidy, variable, variableGrads, zeros } from '@tensorflow/tfjs-core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';

/** The same, with a look at the memory when its gradient is computed. */
const probed = (x: Tensor, look: () => void): Tensor =>
  customGrad((input) => ({
    value: clone(input as Tensor),
    gradFunc: (dy) => {
      look();
      return clone(dy);
    },
  }))(x);

/** A chain of residual blocks. */
function chain(x: Tensor, blocks: number): Tensor {
  let y = x;
  for (let i = 0; i < blocks; i++) y = add(y, sigmoid(mul(relu(y), 0.5)));
  return y;
}

describe('releaseEarly', () => {
  it('leaves at the end of a long backward pass no more memory in use than of a short one', () => {
    const size = 4 * 1000;
    const inUse = (blocks: number): number => {
      const before = memory().numBytes;
      let during = 0;
      tidy(() => grad((x: Tensor) => sum(chain(probed(x, () => (during = memory().numBytes)), blocks)) as Tensor)(zeros([1000])));
      return Math.round((during - before) / size);
    };
    expect(inUse(40)).toBe(inUse(4));
    expect(inUse(40)).toBeLessThan(8);
  });

  it('gives the gradients of sums of branches', () => {
    expectGradient((x) => sum(chain(x, 3)), tensor1d([0.3, -0.7, 1.2]));
    // d/dx (x² + x·x + relu(x)) = 4x + 1 for x > 0
    expect(grad((x: Tensor) => sum(add(add(square(x), mul(x, x)), relu(x))) as Tensor)(tensor1d([2, 3]))).toBeAllClose([9, 13]);
  });

  it('keeps a gradient that belongs to two inputs', () => {
    const both = customGrad((a, b) => ({ value: add(a as Tensor, b as Tensor), gradFunc: (dy: Tensor) => [dy, dy] }));
    // d/dx of sigmoid(2x) + relu(3x) at 1: 2σ'(2) + 3
    const slope = 1 / (1 + Math.exp(-2));
    const dx = grad((x: Tensor) => sum(both(sigmoid(mul(x, 2)), relu(mul(x, 3)))) as Tensor)(tensor1d([1]));
    expect(dx).toBeAllClose([2 * slope * (1 - slope) + 3]);
  });

  it("keeps the caller's own gradient, and gradients asked for in the middle", () => {
    const dy = tensor1d([1, 2]);
    expect(grad((x: Tensor) => relu(x))(tensor1d([3, -1]), dy)).toBeAllClose([1, 0]);
    expect(dy).toBeAllClose([1, 2]);
    // The product with the inner tensor is differentiated for both: z = x², y = 3z.
    const [dx, dz] = grads((x: Tensor, z: Tensor) => sum(mul(add(square(x), z), 3)) as Tensor)([tensor1d([2]), tensor1d([5])]);
    expect([dx, dz].map((t) => t!.dataSync()[0])).toEqual([12, 3]);
  });

  it("keeps tensors of the caller's that a function gives as its gradient", () => {
    const [slope, weight] = [tensor1d([2, 3]), variable(tensor1d([4, 5]))];
    const given = (dx: Tensor) => customGrad((x) => ({ value: clone(x as Tensor), gradFunc: () => dx }));
    for (let i = 0; i < 2; i++) {
      // Once as what a step is given, once as what is added to another gradient.
      expect(grad((x: Tensor) => sum(given(slope)(relu(x))) as Tensor)(tensor1d([1, 1]))).toBeAllClose([2, 3]);
      expect(grad((x: Tensor) => sum(add(given(weight)(x), add(x, given(slope)(x)))) as Tensor)(tensor1d([1, 1]))).toBeAllClose([7, 9]);
    }
    expect(slope).toBeAllClose([2, 3]);
    weight.dispose();
  });

  it('leaves second derivatives as they are', () => {
    // (x³)'' = 6x
    const cube = (x: Tensor): Tensor => sum(mul(square(x), x));
    const first = grad(cube);
    expect(grad((x: Tensor) => sum(first(x)) as Tensor)(tensor1d([2, -1]))).toBeAllClose([12, -6]);
  });

  it('keeps what a function holds on to, and only that', () => {
    let held: Tensor | undefined;
    const holding = customGrad((x, save) => {
      (save as (tensors: Tensor[]) => void)([x as Tensor]);
      return { value: clone(x as Tensor), gradFunc: (dy, [saved]) => ((held = mul(saved!, 1)), mul(dy, onesLike(saved!))) };
    });
    const dx = expectTensorsKept(1, () => tidy(() => grad((x: Tensor) => sum(mul(relu(holding(relu(x))), 2)) as Tensor)(tensor1d([1, 2]))));
    expect(dx).toBeAllClose([2, 2]);
    expect(held!.isDisposed).toBe(true);
  });

  it('differentiates weights that are used twice', () => {
    const w = variable(scalar(3));
    try {
      const { value, grads: slopes } = tidy(() => variableGrads(() => sum(mul(relu(mul(w, 2)), w)), [w]));
      expect(value).toBeAllClose(18);
      expect(Object.values(slopes)[0]).toBeAllClose(12);
    } finally {
      w.dispose();
    }
  });
});
