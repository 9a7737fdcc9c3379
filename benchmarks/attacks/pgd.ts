// Shapes: B batch, H W pixels, C channels, M classes.
import { ceLoss, pgd } from '@moe/attacks';
import { createRng } from '@moe/core';
import { logitsFn, moeModel, resnet } from '@moe/layers';
import { type Tensor, dispose, sum, tensor1d, tensor4d, tidy, valueAndGrad } from '@tensorflow/tfjs-core';
import type { MeasuredRow } from '../benchmark.js';
import { interleave } from '../timing.js';

const CLASSES = 10;
const STEPS = 10;
/** PGD with ten steps on ResNet-18 against ten forward passes with their backward passes to the inputs. */
export function* pgdOnResnet(engine: string, width: number, batch: number, rounds: number, limit: number | undefined): Generator<MeasuredRow> {
  const network = resnet({ depth: 18, width, stem: 'cifar', classes: CLASSES, inputShape: [32, 32, 3], seed: 1 });
  const model = logitsFn(moeModel(network));
  const images = tensor4d(createRng(1).uniform(batch * 32 * 32 * 3), [batch, 32, 32, 3]);
  const labels = tensor1d(Array.from(createRng(2).integers(batch, CLASSES)), 'int32');
  const attack = pgd({ eps: 8 / 255, stepSize: 2 / 255, steps: STEPS, start: 'none', goal: 'maxLoss' });
  const lossAndGradient = valueAndGrad((x: Tensor) => sum(ceLoss(model(x), labels)));
  const [ours, theirs] = interleave(
    [
      () => dispose(Object.values(attack.perturb(model, images, labels, { rng: createRng(1) }))),
      () => {
        for (let step = 0; step < STEPS; step++) tidy(() => void lossAndGradient(images).grad.dataSync());
      },
    ],
    rounds,
  );
  dispose([images, labels]);
  network.dispose();
  yield { name: `${engine}/resnet18/pgd-10`, ours, theirs, unit: 'ms', ...(limit !== undefined && { limit }) };
}
