// Shapes: B batch, H W pixels, C channels.
import { jit } from '@moe/backend';
import {
  type Tensor,
  type Tensor1D,
  type TensorContainer,
  add,
  clipByValue,
  dispose,
  fill,
  greater,
  maximum,
  minimum,
  mul,
  onesLike,
  reshape,
  sign,
  sub,
  valueAndGrad,
  where,
} from '@tensorflow/tfjs-core';

/** Compiles a function of tensors, which takes two calls with arguments of the right shapes. */
export function compiled<F extends (...args: never[]) => TensorContainer>(fn: F, ...args: Parameters<F>): F {
  const fast = jit(fn);
  for (let call = 0; call < 2; call++) dispose(fast(...args));
  return fast;
}

/** Loss of every row `[B]` at a point, for given weights. */
type RowLoss = (point: Tensor, weights: readonly Tensor[]) => Tensor1D;

/** Of each row the point of higher loss, and that loss. */
function keepHighest(point: Tensor, loss: Tensor, best: Tensor, highest: Tensor): Tensor[] {
  const higher = greater(loss, highest);
  return [where(reshape(higher, [higher.size, 1, 1, 1]), point, best), where(higher, loss, highest)];
}

/**
 * Projected gradient ascent as `pgd` of `@moe/attacks` does it with `goal: 'maxLoss'`, in operations of tfjs, one compiled call a step.
 *
 * @param clean - `[B,H,W,C]` in [0, 1], where it starts.
 * @returns Attack on given weights: each row's point of highest loss, and that loss.
 */
export function compiledAttack(rowLoss: RowLoss, clean: Tensor, weights: readonly Tensor[], { eps, stepSize, steps }: { eps: number; stepSize: number; steps: number }) {
  const ascend = (point: Tensor, best: Tensor, highest: Tensor, centre: Tensor, w: readonly Tensor[]): Tensor[] => {
    const { value, grad } = valueAndGrad((t) => rowLoss(t, w))(point, onesLike(highest) as Tensor1D);
    const low = clipByValue(sub(centre, eps), 0, 1);
    const high = clipByValue(add(centre, eps), 0, 1);
    return [maximum(low, minimum(high, add(point, mul(sign(grad), stepSize)))), ...keepHighest(point, value, best, highest)];
  };
  const lowest = fill([clean.shape[0] ?? 0], -Infinity);
  const step = compiled(ascend, clean, clean, lowest, clean, weights);
  const last = compiled((point: Tensor, best: Tensor, highest: Tensor, w: readonly Tensor[]) => keepHighest(point, rowLoss(point, w), best, highest), clean, clean, lowest, weights);
  return (w: readonly Tensor[]): [best: Tensor, highest: Tensor] => {
    let state: readonly Tensor[] = [clean, clean, lowest];
    for (let t = 0; t < steps; t++) {
      const [point, best, highest] = state as [Tensor, Tensor, Tensor];
      const next = step(point, best, highest, clean, w);
      if (t > 0) dispose([...state]);
      state = next;
    }
    const [point, best, highest] = state as [Tensor, Tensor, Tensor];
    const found = last(point, best, highest, w) as [Tensor, Tensor];
    if (steps > 0) dispose([...state]);
    return found;
  };
}
