// Shapes: B batch, N tokens, D features, E experts, T rows.
import { expectArgument, expectOneOf } from '@moe/core';
import { type Tensor, serialization } from '@tensorflow/tfjs-core';
import { type LayerVariable, type Shape, input, type layers } from '@tensorflow/tfjs-layers';
import type { CallArguments } from './call-arguments.js';
import { fromConfigText, toConfigText } from './config-text.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { onlyShape } from './weighted-layer.js';
import type { WeightSpec } from './weights.js';

type Layer = layers.Layer;

/** Options of {@link CustomMoe}. */
export interface CustomMoeArgs extends Omit<RoutedLayerArgs, 'sharedStart'> {
  /**
   * Makes an expert: a new tfjs layer or model from rows to rows, the same shape for all. Called once for each index, shared experts last. Or the experts as they were
   * saved. Stock layers draw their first weights without a seed unless an initializer has one.
   */
  readonly expert: ((index: number) => Layer) | string;
  /** What a row is: an example of `[B,…]`, or a token of `[B,N,D]`. @defaultValue 'examples' */
  readonly rows?: 'examples' | 'tokens';
}

interface SavedLayer {
  readonly className: string;
  readonly config: serialization.ConfigDict;
}

/** A layer from its configuration, by the classes that tfjs knows. */
function layerFromConfig({ className, config }: SavedLayer): Layer {
  const { classNameMap } = serialization.SerializationMap.getMap();
  const found = Object.hasOwn(classNameMap, className) ? classNameMap[className] : undefined;
  expectArgument('CustomMoe', 'class of an expert', found !== undefined, 'be registered with tfjs', className, 'Call serialization.registerClass before loading.');
  const [constructor, fromConfig] = found;
  return fromConfig(constructor, config) as Layer;
}

const isRouted = (layer: Layer): boolean => 'moeInfo' in layer || ('layers' in layer && (layer.layers as readonly Layer[]).some(isRouted));

/**
 * An MoE layer whose experts are tfjs layers or models that a function of yours makes, behind any router.
 *
 * @remarks
 * The experts' weights belong to this layer: optimisers, `save` and `dispose` see them as `expert0/kernel` and so on, and a saved model holds the experts' own configurations, so classes of
 * yours need `serialization.registerClass` before `loadLayersModel`. `training` reaches the experts; those without rows are not called. `countMacs` does not know their cost.
 *
 * @throws {@link ArgumentError} if the function gives a layer twice, an MoE layer, or layers of different output shapes.
 *
 * @example
 * const expert = (index: number) => layers.dense({ units: 8, kernelInitializer: initializers.heNormal({ seed: index }) });
 * const moe = new CustomMoe({ name: 'moe', expert, router, seed: 1 });
 * const y = moe.apply(x); // [B,D] → [B,8]
 */
export class CustomMoe extends RoutedLayer {
  static readonly className = 'CustomMoe';
  readonly rows: 'examples' | 'tokens';
  readonly #layers: readonly Layer[];

  constructor(args: CustomMoeArgs) {
    super(args);
    const { expert, rows = 'examples' } = args;
    expectOneOf('CustomMoe', 'rows', rows, ['examples', 'tokens']);
    this.rows = rows;
    this.#layers = typeof expert === 'string' ? (fromConfigText(expert) as readonly SavedLayer[]).map(layerFromConfig) : this.expertNames.map((_, index) => expert(index));
    expectArgument('CustomMoe', 'expert', new Set(this.#layers).size === this.expertNames.length, `make a new layer for each of the ${this.expertNames.length} experts`, new Set(this.#layers).size);
    expectArgument('CustomMoe', 'expert', !this.#layers.some(isRouted), 'make layers without MoE layers inside', 'a nested one', 'Nobody could steer them by name.');
    this.#layers.forEach((layer, i) => (layer.name = this.expertNames[i]!));
    if (args.trainable === false) this.trainable = false;
  }

  get part(): undefined {
    return undefined;
  }

  protected get rowShape(): undefined {
    return undefined;
  }

  protected override get rowAxes(): number {
    return this.rows === 'tokens' ? 2 : 1;
  }

  override build(inputShape: Shape | Shape[]): void {
    super.build(inputShape);
    const row = onlyShape(inputShape).slice(this.rowAxes);
    // Inside the scope of this layer's name, so that the weights are named under it.
    this.#layers.forEach((layer) => layer.apply(input({ shape: row })));
    const shapes = this.#layers.map((layer) => String(layer.computeOutputShape([null, ...row])));
    expectArgument('CustomMoe', 'expert', new Set(shapes).size === 1, 'make layers of one output shape', shapes);
  }

  protected expertWeights(): readonly WeightSpec[] {
    return [];
  }

  protected runExpert(_weights: unknown, rows: Tensor, { training, moe }: CallArguments, expert: number): Tensor {
    return this.#layers[expert]!.apply(rows, { training, moe }) as Tensor;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const shape = onlyShape(inputShape);
    const row = this.#layers[0]!.computeOutputShape([null, ...shape.slice(this.rowAxes)]) as Shape;
    return [...shape.slice(0, this.rowAxes), ...row.slice(1)];
  }

  override get trainable(): boolean {
    return super.trainable;
  }

  override set trainable(trainable: boolean) {
    super.trainable = trainable;
    this.#layers.forEach((layer) => (layer.trainable = trainable));
  }

  override get trainableWeights(): LayerVariable[] {
    return [...super.trainableWeights, ...this.#layers.flatMap((layer) => layer.trainableWeights)];
  }

  override set trainableWeights(weights: LayerVariable[]) {
    super.trainableWeights = weights;
  }

  override get nonTrainableWeights(): LayerVariable[] {
    return [...super.nonTrainableWeights, ...this.#layers.flatMap((layer) => layer.nonTrainableWeights)];
  }

  override set nonTrainableWeights(weights: LayerVariable[]) {
    super.nonTrainableWeights = weights;
  }

  override get losses(): Layer['losses'] {
    return [...super.losses, ...this.#layers.flatMap((layer) => layer.losses)];
  }

  override setFastWeightInitDuringBuild(value: boolean): void {
    super.setFastWeightInitDuringBuild(value);
    this.#layers.forEach((layer) => layer.setFastWeightInitDuringBuild(value));
  }

  override getConfig(): serialization.ConfigDict {
    const saved = this.#layers.map((layer): SavedLayer => ({ className: layer.getClassName(), config: layer.getConfig() }));
    return { ...super.getConfig(), expert: toConfigText(saved), rows: this.rows };
  }
}
