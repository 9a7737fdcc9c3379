import type { Tensor, serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { partOutputShape } from '../spec/part-shape.js';
import type { LayerPart } from '../spec/parts.js';
import { type LayerArgs, WeightedLayer, rowShapeOf } from './weighted-layer.js';
import type { WeightSpec } from './weights.js';

/** Description of one kind of layer. */
export type PartOf<K extends LayerPart['kind']> = Extract<LayerPart, { readonly kind: K }>;

/** Arguments of a layer of one kind: those of tfjs, and the options of its description. */
export type PartLayerArgs<K extends LayerPart['kind']> = LayerArgs & { readonly seed: number } & Omit<PartOf<K>, 'kind'>;

/** A layer without experts: weights by name; options, configuration and output shape from its description. */
export abstract class PartLayer<K extends LayerPart['kind']> extends WeightedLayer {
  readonly part: PartOf<K>;
  #weights: Readonly<Record<string, LayerVariable>> = {};

  constructor(args: PartLayerArgs<K>) {
    super(args);
    this.part = this.describe(args);
  }

  /** The description that the arguments make. Runs before the layer is complete, so it may use nothing else. */
  protected abstract describe(args: PartLayerArgs<K>): PartOf<K>;
  protected abstract weightSpecs(rowShape: readonly number[]): readonly WeightSpec[];

  override build(inputShape: Shape): void {
    this.#weights = this.addWeights(this.weightSpecs(rowShapeOf(inputShape)));
    this.built = true;
  }

  protected variables(): Readonly<Record<string, LayerVariable>> {
    return this.#weights;
  }

  protected readonly read = (name: string): Tensor => this.#weights[name]!.read();

  override computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0] ?? null, ...partOutputShape(this.part, rowShapeOf(inputShape))];
  }

  override getConfig(): serialization.ConfigDict {
    const { kind: _, ...options } = this.part;
    return { ...super.getConfig(), ...(options as unknown as serialization.ConfigDict) };
  }
}
