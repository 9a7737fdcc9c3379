import { ShapeError, createRng, expectInteger } from '@moe/core';
import { type Tensor, add, serialization } from '@tensorflow/tfjs-core';
import { type LayerVariable, type Shape, initializers, layers } from '@tensorflow/tfjs-layers';

/** Name, input shape and so on, as every tfjs layer takes them. */
export type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;

/** What every layer with weights of this package takes beside the options of tfjs. */
export interface LipschitzLayerArgs extends LayerArgs {
  /** Root of the first weights; give layers of one model different ones. */
  readonly seed: number;
  /** @defaultValue true */
  readonly useBias?: boolean;
}

export const onlyTensor = (inputs: Tensor | Tensor[]): Tensor => (Array.isArray(inputs) ? inputs[0]! : inputs);

/** The only shape, of known rank. */
export function rowShape(layer: layers.Layer, shape: Shape | Shape[], axes: readonly string[]): readonly (number | null)[] {
  const only = (Array.isArray(shape[0]) ? shape[0] : shape) as Shape;
  if (only.length !== axes.length) throw new ShapeError(`${layer.getClassName()}: inputs must have shape [${axes.join(',')}], got [${only.join(',')}].`);
  return only.slice(1);
}

/** A layer with a raw kernel, of which its map is computed in every call, and a bias. */
export abstract class KernelLayer extends layers.Layer {
  readonly seed: number;
  readonly useBias: boolean;
  #kernel: LayerVariable | undefined;
  #bias: LayerVariable | undefined;

  constructor(args: LipschitzLayerArgs) {
    super(args);
    const { seed, useBias = true } = args;
    expectInteger(this.getClassName(), 'seed', seed, 0);
    this.seed = seed;
    this.useBias = useBias;
  }

  /** Adds a normal kernel with standard deviation `1 / √fan` and a bias of zeros. */
  protected addKernel(shape: readonly number[], fan: number, biases: number): void {
    const initializer = initializers.randomNormal({ stddev: 1 / Math.sqrt(fan), seed: createRng(this.seed).stream('kernel').nextSeed() });
    this.#kernel = this.addWeight('kernel', [...shape], 'float32', initializer);
    if (this.useBias) this.#bias = this.addWeight('bias', [biases], 'float32', initializers.zeros());
  }

  /** The raw kernel. */
  protected get kernel(): Tensor {
    return this.#kernel!.read();
  }

  protected withBias(x: Tensor): Tensor {
    return this.#bias === undefined ? x : add(x, this.#bias.read());
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), seed: this.seed, useBias: this.useBias };
  }
}
