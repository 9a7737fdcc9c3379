// Shapes: B batch, H W pixels, C channels, N tokens, D features, E experts.
import { type ExpertMask, type MoeLayerInfo, createRng, expectArgument } from '@moe/core';
import { type ExpertFn, type RouteContext, type Router, dispatch, routerFromConfig } from '@moe/router';
import { type Tensor, type serialization, dispose, reshape, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { partOutputShape } from '../spec/part-shape.js';
import type { LayerPart } from '../spec/parts.js';
import { type CallArguments, readCallArguments } from './call-arguments.js';
import { fromConfigText, toConfigText } from './config-text.js';
import type { WeightSpec } from './weights.js';
import { type LayerArgs, WeightedLayer, onlyTensor, rowShapeOf } from './weighted-layer.js';

type Weights = Readonly<Record<string, LayerVariable>>;

/** Options of every MoE layer; the name of the layer is its key in `ForwardOptions.experts`. */
export interface RoutedLayerArgs extends LayerArgs {
  /** The router itself, or its saved name and options. */
  readonly router: Router | string;
  /** Decides the first weights, together with the name of the layer; integer ≥ 0. */
  readonly seed: number;
  /** Whether all experts start with the same weights, as those of V-MoE do; then routing alone tells them apart. @defaultValue false */
  readonly sharedStart?: boolean;
}

/** What is common to the MoE layers: a router in front of E experts of the same shape, each with weights of its own. */
export abstract class RoutedLayer extends WeightedLayer {
  readonly router: Router;
  readonly sharedStart: boolean;
  #routerWeights: Weights = {};
  #experts: readonly Weights[] = [];

  constructor(args: RoutedLayerArgs) {
    super(args);
    this.sharedStart = args.sharedStart ?? false;
    this.router = typeof args.router === 'string' ? routerFromConfig(fromConfigText(args.router) as Parameters<typeof routerFromConfig>[0]) : args.router;
  }

  abstract get part(): LayerPart;
  /** Shape of one input row as the experts take it, `null` where any size will do. */
  protected abstract get rowShape(): readonly (number | null)[];
  /** How many leading axes of an input count rows: 1 for images, 2 for the tokens of examples. */
  protected get rowAxes(): number {
    return 1;
  }

  protected abstract expertWeights(): readonly WeightSpec[];
  protected abstract runExpert(weights: Weights, rows: Tensor, call: CallArguments): Tensor;

  get moeInfo(): MoeLayerInfo {
    const { numExperts, topK, batchInvariant, continuous } = this.router;
    return { name: this.name, numExperts, topK, batchInvariant, continuous };
  }

  override build(inputShape: Shape): void {
    const row = inputShape.slice(this.rowAxes);
    const fits = row.length === this.rowShape.length && this.rowShape.every((size, i) => size === null || size === row[i]);
    expectArgument(this.getClassName(), `input of '${this.name}'`, fits, `have rows of shape [${this.rowShape.map((size) => size ?? '*').join(',')}]`, inputShape);
    const initial = this.router.init(row.map((size) => size ?? 0), createRng(this.seed).stream(this.name).stream('router'));
    try {
      this.#routerWeights = Object.fromEntries(
        Object.entries(initial).map(([name, { value, trainable }]) => [name, this.addWeightFrom(`router/${name}`, value.shape, trainable, () => value)]),
      );
    } finally {
      // tfjs disposes the values it asked for; it asks for none when a saved model is being loaded.
      dispose(Object.values(initial).flatMap(({ value }) => (value.isDisposed ? [] : [value])));
    }
    const specs = this.expertWeights();
    this.#experts = Array.from({ length: this.router.numExperts }, (_, expert) => this.addWeights(specs, `expert${expert}/`, this.sharedStart ? 'expert/' : undefined));
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    const call = readCallArguments(kwargs);
    const choice = call.moe?.options.experts?.[this.name];
    const experts = this.#experts.map((weights) => (rows: Tensor) => this.runExpert(weights, rows, call));
    return tidy(() => {
      const input: Tensor = onlyTensor(inputs);
      const row = input.shape.slice(this.rowAxes);
      const rows = this.rowAxes === 1 ? input : reshape(input, [-1, ...row]);
      const outputs = this.#run(rows, experts, this.rowAxes === 1 ? 1 : input.shape[1]!, choice, call);
      return this.rowAxes === 1 ? outputs : reshape(outputs, [...input.shape.slice(0, this.rowAxes), ...outputs.shape.slice(1)]);
    });
  }

  #run(rows: Tensor, experts: readonly ExpertFn[], rowsPerExample: number, choice: number | ExpertMask | undefined, call: CallArguments): Tensor {
    if (typeof choice === 'number') return experts[choice]!(rows);
    const { rng, gate } = call.moe?.options ?? {};
    const previous = call.moe?.previous(rows.shape[0]!);
    const context: RouteContext = {
      training: call.training,
      rowsPerExample,
      ...(rng !== undefined && { rng: rng.stream(this.name) }),
      ...(choice !== undefined && { allowed: choice }),
      ...(gate !== undefined && { gate }),
      ...(previous !== undefined && { previous }),
    };
    const weights = Object.fromEntries(Object.entries(this.#routerWeights).map(([name, weight]) => [name, weight.read()]));
    const plan = this.router.route(weights, rows, context);
    const { gateLogits, gates, combineWeights, auxLoss, droppedFraction, updates = {} } = plan;
    call.moe?.collect({ layer: this.name, gateLogits, gates, combineWeights, auxLoss, droppedFraction });
    if (call.updateStatistics) for (const [name, value] of Object.entries(updates)) this.#routerWeights[name]!.write(value);
    return dispatch(plan, rows, experts);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0] ?? null, ...partOutputShape(this.part, rowShapeOf(inputShape))];
  }

  override getConfig(): serialization.ConfigDict {
    const { name, options } = this.router;
    return { ...super.getConfig(), router: toConfigText({ name, options }), sharedStart: this.sharedStart };
  }
}
