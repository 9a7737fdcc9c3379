// Shapes: B batch, H W pixels, C channels, E experts.
import { type MoeLayerInfo, createRng, expectArgument } from '@moe/core';
import { type RouteContext, type Router, dispatch, routerFromConfig } from '@moe/router';
import { type Tensor, type serialization, dispose, tidy } from '@tensorflow/tfjs-core';
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
}

/** What is common to the MoE layers: a router in front of E experts of the same shape, each with weights of its own. */
export abstract class RoutedLayer extends WeightedLayer {
  readonly router: Router;
  #routerWeights: Weights = {};
  #experts: readonly Weights[] = [];

  constructor(args: RoutedLayerArgs) {
    super(args);
    this.router = typeof args.router === 'string' ? routerFromConfig(fromConfigText(args.router) as Parameters<typeof routerFromConfig>[0]) : args.router;
  }

  abstract get part(): LayerPart;
  /** Channels that the experts take. */
  protected abstract get inChannels(): number;
  protected abstract expertWeights(): readonly WeightSpec[];
  protected abstract runExpert(weights: Weights, rows: Tensor, call: CallArguments): Tensor;

  get moeInfo(): MoeLayerInfo {
    const { numExperts, topK, batchInvariant, continuous } = this.router;
    return { name: this.name, numExperts, topK, batchInvariant, continuous };
  }

  override build(inputShape: Shape): void {
    const channels = inputShape.at(-1);
    expectArgument(this.getClassName(), `input of '${this.name}'`, inputShape.length === 4 && channels === this.inChannels, `have shape [B,H,W,${this.inChannels}]`, inputShape);
    const initial = this.router.init(rowShapeOf(inputShape), createRng(this.seed).stream(this.name).stream('router'));
    try {
      this.#routerWeights = Object.fromEntries(
        Object.entries(initial).map(([name, { value, trainable }]) => [name, this.addWeightFrom(`router/${name}`, value.shape, trainable, () => value)]),
      );
    } finally {
      // tfjs disposes the values it asked for; it asks for none when a saved model is being loaded.
      dispose(Object.values(initial).flatMap(({ value }) => (value.isDisposed ? [] : [value])));
    }
    const specs = this.expertWeights();
    this.#experts = Array.from({ length: this.router.numExperts }, (_, expert) => this.addWeights(specs, `expert${expert}/`));
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    const call = readCallArguments(kwargs);
    const choice = call.moe?.options.experts?.[this.name];
    const experts = this.#experts.map((weights) => (rows: Tensor) => this.runExpert(weights, rows, call));
    return tidy(() => {
      const rows = onlyTensor(inputs);
      if (typeof choice === 'number') return experts[choice]!(rows);
      const { rng, gate } = call.moe?.options ?? {};
      const context: RouteContext = {
        training: call.training,
        ...(rng !== undefined && { rng: rng.stream(this.name) }),
        ...(choice !== undefined && { allowed: choice }),
        ...(gate !== undefined && { gate }),
      };
      const weights = Object.fromEntries(Object.entries(this.#routerWeights).map(([name, weight]) => [name, weight.read()]));
      const plan = this.router.route(weights, rows, context);
      const { gateLogits, gates, combineWeights, auxLoss, droppedFraction, updates = {} } = plan;
      call.moe?.collect({ layer: this.name, gateLogits, gates, combineWeights, auxLoss, droppedFraction });
      if (call.updateStatistics) for (const [name, value] of Object.entries(updates)) this.#routerWeights[name]!.write(value);
      return dispatch(plan, rows, experts);
    });
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0] ?? null, ...partOutputShape(this.part, rowShapeOf(inputShape))];
  }

  override getConfig(): serialization.ConfigDict {
    const { name, options } = this.router;
    return { ...super.getConfig(), router: toConfigText({ name, options }) };
  }
}
