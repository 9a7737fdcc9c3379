// Attacks and training with the real `jit`, where the engine is installed.
import { jit, useBackend } from '@moe/backend';
import { findTensorflow } from '@moe/backend/node';
import { apgd, fgsm, pgd } from '@moe/attacks';
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { logitsFn, moeModel, resnet } from '@moe/layers';
import { gapFc, topKRouter } from '@moe/router';
import { tensor1d, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';

/** Largest difference, relative where values are large. */
const gap = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((value, i) => Math.abs(value - b[i]!) / Math.max(1, Math.abs(b[i]!))));

describe.runIf(findTensorflow() !== undefined)('compiled on tensorflow', () => {
  beforeAll(async () => void (await useBackend('tensorflow')));

  const shape = { depth: 10, width: 4, stem: 'cifar', classes: 4, inputShape: [8, 8, 1], seed: 1 } as const;
  const images = createRng(2).uniform(16 * 64);
  const labels = createRng(3).integers(16, 4);

  const attacked = (attack: Attack, model: LogitsFn = logitsFn(moeModel(resnet(shape)))) =>
    tidy(() => {
      const found = attack.perturb(model, tensor4d(images, [16, 8, 8, 1]), tensor1d(labels, 'int32'), { rng: createRng(1) });
      return { adversarial: Array.from(found.adversarial.dataSync()), success: Array.from(found.success.dataSync()), loss: Array.from(found.loss.dataSync()) };
    });

  it.each<[string, Attack, Attack]>([
    ['fgsm', fgsm({ eps: 0.02 }), fgsm({ eps: 0.02, compile: jit })],
    ['pgd', pgd({ eps: 0.02, steps: 8, norm: 'L2', goal: 'maxLoss' }), pgd({ eps: 0.02, steps: 8, norm: 'L2', goal: 'maxLoss', compile: jit })],
    ['apgd', apgd({ eps: 0.02, steps: 8, loss: 'dlr' }), apgd({ eps: 0.02, steps: 8, loss: 'dlr', compile: jit })],
  ])('%s finds what it finds without', (_, plain, compiled) => {
    const [expected, found] = [attacked(plain), attacked(compiled)];
    expect(found.success).toEqual(expected.success);
    expect(gap(found.loss, expected.loss)).toBeLessThan(1e-4);
  });

  it('runs the model in three of nine passes, and weights may change under the attack', () => {
    const network = resnet(shape);
    const model: LogitsFn = logitsFn(moeModel(network));
    let passes = 0;
    const counted: LogitsFn = (x) => (passes++, model(x));
    const attack = (compile?: typeof jit) => pgd({ eps: 0.02, steps: 8, goal: 'maxLoss', ...(compile && { compile }) });
    const compiled = attack(jit);
    attacked(compiled, counted);
    // Two with gradient, and the one without that comes last.
    expect(passes).toBe(3);
    tidy(() => network.setWeights(resnet({ ...shape, seed: 2 }).getWeights()));
    expect(gap(attacked(compiled, counted).loss, attacked(attack(), model).loss)).toBeLessThan(1e-4);
    // The last pass ran once more; each of the two functions is compiled now.
    expect(passes).toBe(4);
  });

  it('refuses routed layers, whose gates are read on the host', () => {
    const router = topKRouter({ numExperts: 2, topK: 1, gate: gapFc() });
    const model = logitsFn(moeModel(resnet({ ...shape, moe: { at: 'layer4', kind: 'block', router } })));
    expect(() => attacked(pgd({ eps: 0.02, steps: 2, compile: jit }), model)).toThrow(/jit: values must not be read .* or do not compile this function/);
  });
});
