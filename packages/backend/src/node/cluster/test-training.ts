// A small training for the tests, on the rows of one worker or on all.
import { type Scalar, type Tensor, type Tensor2D, losses, matMul, mul, relu, sub, tensor2d, tidy, variable, variableGrads } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';

type Gradients = Readonly<Record<string, Tensor>>;

export const ROWS = 16;

/**
 * Five steps of gradient descent on rows `from` to `to`.
 *
 * @param share - makes the gradients of all workers from those of one.
 * @returns The weights.
 */
export async function trainOn(from: number, to: number, share: (gradients: Gradients) => Promise<Gradients>): Promise<number[]> {
  const rng = createRng(5);
  const [images, targets] = [rng.normal(ROWS * 6), rng.normal(ROWS * 2)];
  const [first, second] = [variable(tensor2d(rng.normal(6 * 8), [6, 8])), variable(tensor2d(rng.normal(8 * 2), [8, 2]))];
  const loss = (): Scalar => {
    const x = tensor2d(images.subarray(from * 6, to * 6), [to - from, 6]);
    const y = tensor2d(targets.subarray(from * 2, to * 2), [to - from, 2]);
    return losses.meanSquaredError(y, matMul(relu(matMul(x, first as Tensor2D)), second as Tensor2D)) as Scalar;
  };
  for (let step = 0; step < 5; step++) {
    const { value, grads } = variableGrads(loss, [first, second]);
    const shared = await share({ first: grads[first.name] as Tensor, second: grads[second.name] as Tensor });
    tidy(() => {
      first.assign(sub(first, mul(shared.first as Tensor, 0.05)));
      second.assign(sub(second, mul(shared.second as Tensor, 0.05)));
    });
    for (const t of new Set([value, ...Object.values(grads), ...Object.values(shared)])) t.dispose();
  }
  return [first, second].flatMap((weight) => {
    const values = Array.from(weight.dataSync());
    weight.dispose();
    return values;
  });
}
