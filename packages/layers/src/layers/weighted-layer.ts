import { createRng } from '@moe/core';
import { type Tensor, type Tensor4D, serialization, tensor } from '@tensorflow/tfjs-core';
import { type LayerVariable, type Shape, layers } from '@tensorflow/tfjs-layers';
import type { WeightSpec } from './weights.js';

/** Name, input shape and so on, as every tfjs layer takes them. */
export type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;

/** tfjs' `Shape` without the batch axis. */
export const rowShapeOf = (shape: Shape | Shape[]): readonly number[] => (shape as Shape).slice(1).map((size) => size ?? 0);

/** The first of several shapes, or the only one. */
export const onlyShape = (shape: Shape | Shape[]): Shape => (Array.isArray(shape[0]) ? shape[0] : shape) as Shape;

export const onlyTensor = (inputs: Tensor | Tensor[]): Tensor4D => (Array.isArray(inputs) ? inputs[0] : inputs) as Tensor4D;

/** Hands tfjs a first value that is made only when it is needed. */
class ValueInitializer extends serialization.Serializable {
  static readonly className = 'MoeValueInitializer';
  readonly #make: () => Tensor;

  constructor(make: () => Tensor) {
    super();
    this.#make = make;
  }

  apply(): Tensor {
    return this.#make();
  }

  fromConfigUsesCustomObjects(): boolean {
    return false;
  }

  getConfig(): serialization.ConfigDict {
    return {};
  }
}

/** A layer whose weights are drawn from `createRng(seed).stream(layer name).stream(weight name)`. */
export abstract class WeightedLayer extends layers.Layer {
  readonly seed: number;

  constructor(args: LayerArgs & { readonly seed: number }) {
    super(args);
    this.seed = args.seed;
  }

  protected addWeightFrom(name: string, shape: readonly number[], trainable: boolean, make: () => Tensor): LayerVariable {
    return this.addWeight(name, [...shape], 'float32', new ValueInitializer(make), undefined, trainable);
  }

  /** Adds weights under a prefix such as `'expert0/'`, drawn as if it were `drawnAs`; keys of the result are the names without it. */
  protected addWeights(specs: readonly WeightSpec[], prefix = '', drawnAs = prefix): Readonly<Record<string, LayerVariable>> {
    const rng = createRng(this.seed).stream(this.name);
    return Object.fromEntries(
      specs.map(({ name, shape, trainable, draw }) => {
        return [name, this.addWeightFrom(`${prefix}${name}`, shape, trainable, () => tensor(draw(rng.stream(`${drawnAs}${name}`)), [...shape]))];
      }),
    );
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), seed: this.seed };
  }
}
