import { type Scalar, type Tensor, type Tensor2D, add, cast, fill, grad, oneHot, softmax, sum, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { GOLDEN_GATES } from '../internal/testing-fixtures.js';
import type { BalanceLoss } from './balance-loss.js';
import { choicesLoss } from './choices-loss.js';
import { columnEntropyLoss, entropyLoss } from './entropy-loss.js';
import { balanceLosses } from './registry.js';
import { sparseImportanceLoss } from './sparse-importance-loss.js';
import { centredSwitchLoss, switchLoss } from './switch-loss.js';
import { varianceLoss } from './variance-loss.js';
import { expertVariationLoss, tokenVarianceLoss } from './weight-spread-losses.js';

const oneHotOf = (experts: number[], E: number): Tensor2D => cast(oneHot(tensor1d(experts, 'int32'), E), 'float32') as Tensor2D;
const golden = (): [Tensor2D, Tensor2D] => [tensor2d(GOLDEN_GATES), oneHotOf([0, 0, 1, 3, 0, 0], 4)];
const gradientRow0 = (loss: BalanceLoss): number[] => {
  const [gates, assignment] = golden();
  return Array.from(grad((g: Tensor) => loss(g as Tensor2D, assignment))(gates).dataSync()).slice(0, 4);
};

describe('switchLoss', () => {
  it('is the hand-worked value for three tokens and two experts', () => {
    tidy(() => {
      // f = (2/3, 1/3), P = ((.9+.6+.2)/3, (.1+.4+.8)/3) = (.5667, .4333); 2·(2/3·.5667 + 1/3·.4333) = 1.0444
      const loss = switchLoss(tensor2d([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), tensor2d([[1, 0], [1, 0], [0, 1]]));
      expect(loss).toBeAllClose(1.0444, { atol: 1e-4 });
    });
  });

  it.each([2, 4, 8])('is exactly 1 when balanced and E when collapsed, E = %i', (E) => {
    tidy(() => {
      const balanced = oneHotOf([...Array(E).keys()], E);
      expect(switchLoss(balanced, balanced)).toBeAllClose(1);
      const collapsed = oneHotOf(new Array<number>(E).fill(0), E);
      expect(switchLoss(collapsed, collapsed)).toBeAllClose(E);
    });
  });
});

// Values and gradients of the released code on the golden gates, computed with torch 1.13.
describe.each([
  ['centredSwitchLoss', centredSwitchLoss, 0.388889, [0.444444, 0.111111, 0, 0.111111]],
  ['entropyLoss', entropyLoss, -0.284132, [-0.086466, 0.128865, 0.01756, 0.231049]],
  ['columnEntropyLoss', columnEntropyLoss, -1.316662, [0.020755, -0.088233, -0.13196, -0.101573]],
  ['varianceLoss', varianceLoss, 1.187876, [0.387853, 0.142903, 0.01107, 0.136539]],
] as const)('%s', (_, loss, value, gradient) => {
  it('has the golden value and gradient', () => {
    tidy(() => {
      expect(loss(...golden())).toBeAllClose(value, { rtol: 0, atol: 2e-6 });
      expect(gradientRow0(loss)).toBeAllClose(gradient, { rtol: 0, atol: 2e-6 });
    });
  });
});

describe('degenerate gates', () => {
  const uniform = (): [Tensor2D, Tensor2D] => [fill([6, 4], 0.25), oneHotOf(new Array<number>(6).fill(0), 4)];
  const collapsed = (): [Tensor2D, Tensor2D] => [oneHotOf(new Array<number>(6).fill(0), 4), oneHotOf(new Array<number>(6).fill(0), 4)];
  const identity = (): [Tensor2D, Tensor2D] => [oneHotOf([0, 1, 2, 3], 4), oneHotOf([0, 1, 2, 3], 4)];
  it.each([
    ['uniform', uniform, [0, 0, -1.386294, 1]],
    ['collapsed', collapsed, [3, 0, 0, 4]],
    ['identity', identity, [0, -1.386294, -1.386294, 0.5]],
  ] as const)('%s', (_, make, values) => {
    tidy(() => {
      [centredSwitchLoss, entropyLoss, columnEntropyLoss, varianceLoss].forEach((loss, i) => {
        expect(loss(...make()), loss.name).toBeAllClose(values[i]!, { rtol: 0, atol: 2e-6 });
        const slope = grad((g: Tensor) => loss(g as Tensor2D, make()[1]))(make()[0]);
        expect(Array.from(slope.dataSync()).every(Number.isFinite), `${loss.name} gradient`).toBe(true);
      });
    });
  });
});

describe('losses on what was chosen', () => {
  // Two choices a token, weights that sum to 1.
  const weights = (): Tensor2D => tensor2d([[0.75, 0.25, 0], [0.5, 0, 0.5]]);
  const gates = (): Tensor2D => tensor2d([[0.6, 0.2, 0.2], [0.4, 0.2, 0.4]]);
  const first = (): Tensor2D => oneHotOf([0, 0], 3);

  it('choicesLoss counts all choices: K when balanced, K for a single token', () => {
    tidy(() => {
      // f = (1, ½, ½), P = (.5, .2, .3): 3 · (.5 + .1 + .15).
      expect(choicesLoss(gates(), first(), { combineWeights: weights() })).toBeAllClose(2.25);
      expect(choicesLoss(gates(), first())).toBeAllClose(switchLoss(gates(), first()));
      const even = fill([3, 3], 1 / 3) as Tensor2D;
      expect(choicesLoss(even, oneHotOf([0, 1, 2], 3), { combineWeights: tensor2d([[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]]) })).toBeAllClose(2);
    });
  });

  it('sparseImportanceLoss is by hand, 0 when balanced and E when collapsed', () => {
    tidy(() => {
      // I = (1.25, .25, .5), mean 2/3, sample variance .270833; over 4/9.
      expect(sparseImportanceLoss(gates(), first(), { combineWeights: weights() })).toBeAllClose(0.609375, { rtol: 1e-5 });
      expect(sparseImportanceLoss(gates(), first(), { combineWeights: oneHotOf([0, 1, 2], 3) })).toBeAllClose(0);
      expect(sparseImportanceLoss(gates(), first(), { combineWeights: oneHotOf([1, 1, 1], 3) })).toBeAllClose(3);
    });
  });

  it('tokenVarianceLoss and expertVariationLoss are by hand, and extreme where they should be', () => {
    tidy(() => {
      // Variances over two tokens: .25²/2, .25²/2, .5²/2, mean .0625.
      expect(tokenVarianceLoss(gates(), first(), { combineWeights: weights() })).toBeAllClose(-0.0625);
      expect(tokenVarianceLoss(gates(), first(), { combineWeights: oneHotOf([1, 1], 3) })).toBeAllClose(0);
      // Deviations √(.291667/2) = .381881 and √(.166667/2) = .288675, over 1/3, mean.
      expect(expertVariationLoss(gates(), first(), { combineWeights: weights() })).toBeAllClose(-1.005834, { rtol: 1e-5 });
      expect(expertVariationLoss(fill([2, 3], 1 / 3), first())).toBeAllClose(0);
      expect(expertVariationLoss(gates(), first(), { combineWeights: oneHotOf([0, 2], 3) })).toBeAllClose(-Math.sqrt(3), { rtol: 1e-5 });
    });
  });
});

const onGates = Object.entries(balanceLosses).filter(([name]) => name !== 'zLoss');

describe.each(onGates)('%s', (name, loss) => {
  it('has the gradient of central differences through a softmax', () => {
    const logits = tensor2d([[0.3, -0.2, 0.5], [1.1, 0.1, -0.4], [-0.6, 0.4, 0.2], [0.1, 0.9, 0.3]]);
    const assignment = oneHotOf([2, 0, 1, 1], 3);
    expectGradient((z) => loss(softmax(z) as Tensor2D, assignment) as Scalar, logits);
    logits.dispose();
    assignment.dispose();
  });

  it('sends no gradient through the assignment', () => {
    tidy(() => {
      const [gates, assignment] = golden();
      // The sum keeps losses that do not look at the assignment connected to it.
      const slope = grad((a: Tensor) => add(loss(gates, a as Tensor2D), sum(a)))(assignment);
      expect(slope).toBeAllClose(new Array(24).fill(1), { atol: 0 });
    });
  });

  it('ignores masked tokens', () => {
    tidy(() => {
      const [gates, assignment] = golden();
      const longer = tensor2d([...GOLDEN_GATES, [0.1, 0.1, 0.1, 0.7], [3, -5, 0.5, 9]]);
      const longerAssignment = oneHotOf([0, 0, 1, 3, 0, 0, 3, 2], 4);
      const mask = tensor1d([1, 1, 1, 1, 1, 1, 0, 0]);
      expect(loss(longer, longerAssignment, { mask })).toBeAllClose(loss(gates, assignment));
      const slope = grad((g: Tensor) => loss(g as Tensor2D, longerAssignment, { mask }))(longer).dataSync();
      expect(slope.slice(24)).toBeAllClose(new Array(8).fill(0), { atol: 0 });
    });
  });

  it('is finite when every token is masked, or there is only one', () => {
    tidy(() => {
      const [gates, assignment] = golden();
      expect(loss(gates, assignment, { mask: tensor1d([0, 0, 0, 0, 0, 0]) })).toBeWithin(-2, 4);
      expect(loss(tensor2d([[0.5, 0.5]]), oneHotOf([0], 2))).toBeWithin(-2, 4);
    });
  });

  it('keeps one tensor, and none when it throws', () => {
    const [gates, assignment] = golden();
    expectTensorsKept(1, () => loss(gates, assignment)).dispose();
    const wrong = tensor2d([[1, 0]]);
    expectTensorsKept(0, () => expect(() => loss(gates, wrong)).toThrow(`${name}: assignment must have shape [T,E]`));
    [gates, assignment, wrong].forEach((tensor) => tensor.dispose());
  });
});
