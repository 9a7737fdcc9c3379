import { type NamedTensorMap, type Tensor, clone, dispose, div, scalar, tensor1d, tidy, zerosLike } from '@tensorflow/tfjs-core';
import type { Weight } from '@moe/core';
import type { Exchange } from '../train-options.js';
import { type UpdateOutputs, type UpdateParts, type UpdateTensors, moveWeights, squaresOf } from './update.js';

const [GRADIENT, RUNNING] = ['gradient/', 'running/'];

/** What one process brings to an update. */
export interface OwnPart {
  /** Gradients summed over examples, of the weights that its loss reached. */
  readonly sums: Readonly<Record<string, Tensor>>;
  readonly rows: number;
  /** Running statistics, which become the mean of all processes. */
  readonly running: readonly Weight[];
}

/** Tensors of a process by names that all processes have, in one order: every weight, whether the loss reached it or not. */
const given = ({ weights }: UpdateParts, { sums, rows, running }: OwnPart): NamedTensorMap =>
  tidy(() => ({
    rows: scalar(rows),
    reached: tensor1d(weights.map(({ name }) => Number(name in sums))),
    ...Object.fromEntries(weights.map(({ name, variable }) => [GRADIENT + name, name in sums ? clone(sums[name]!) : zerosLike(variable as Tensor)])),
    ...Object.fromEntries(running.map(({ name, variable }) => [RUNNING + name, clone(variable as Tensor)])),
  }));

/** Fresh values of weights and slots, by the gradient over the examples of all processes; assigns running statistics. Weights that no process reached stay as they are. */
export async function exchangedUpdate(parts: UpdateParts, part: OwnPart, tensors: Omit<UpdateTensors, 'values'>, exchange: Exchange): Promise<UpdateOutputs> {
  const own = given(parts, part);
  const means = await exchange(own).finally(() => dispose(own));
  try {
    const reached = await means['reached']!.data();
    const update = tidy(() => {
      const gradients = Object.fromEntries(parts.weights.flatMap(({ name }, i) => (reached[i]! > 0 ? [[name, div(means[GRADIENT + name]!, means['rows']!)] as const] : [])));
      const { norm, weights, slots } = moveWeights(parts, gradients, squaresOf(gradients), { ...tensors, values: {} });
      return { norm, weights: { ...weights }, slots: Object.fromEntries(Object.entries(slots).map(([name, values]) => [name, [...values]])) };
    });
    for (const { name, variable } of part.running) variable.assign(means[RUNNING + name]!);
    return update;
  } finally {
    dispose({ ...means });
  }
}
