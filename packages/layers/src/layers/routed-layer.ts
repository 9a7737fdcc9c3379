// Shapes: B batch, H W pixels, C channels, N tokens, D features, E experts.
import { type ForwardOptions, type MoeLayerInfo, createRng, expectArgument, expectInteger, expectNumber } from '@moe/core';
import { type ExpertFn, type GateStatistics, type NamedConfig, type RouteContext, type Router, assignmentOf, dispatch, routerFromConfig } from '@moe/router';
import { type Tensor, customGrad, type serialization, add, dispose, mul, reshape, tidy, zeros, zerosLike } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { partOutputShape } from '../spec/part-shape.js';
import type { LayerPart, Mixture, Slots } from '../spec/parts.js';
import { expertsWithWeights } from '../spec/slots.js';
import { type CallArguments, readCallArguments } from './call-arguments.js';
import { fromConfigText, toConfigText } from './config-text.js';
import { registeredParts } from './registry.js';
import type { WeightSpec } from './weights.js';
import { type LayerArgs, WeightedLayer, onlyShape, rowShapeOf } from './weighted-layer.js';

type Weights = Readonly<Record<string, LayerVariable>>;
type Applied = Parameters<WeightedLayer['apply']>[0];

/** Options of every MoE layer; the name of the layer is its key in `ForwardOptions.experts`. */
export interface RoutedLayerArgs extends LayerArgs {
  /** The router itself, or its saved name and options. */
  readonly router: Router | string;
  /** Decides the first weights, together with the name of the layer; integer ≥ 0. */
  readonly seed: number;
  /** Whether all experts start with the same weights, as those of V-MoE do; then routing alone tells them apart. @defaultValue false */
  readonly sharedStart?: boolean;
  /** Experts that every row passes, whatever the router chose; their outputs are added to the mixture, also when an expert is fixed. @defaultValue 0 */
  readonly sharedExperts?: number;
  /** Factor of each shared expert's output. @defaultValue 1 */
  readonly sharedWeight?: number;
  /** Whether the input is added to the output: `x + MoE(x)`; both must have one shape. @defaultValue false */
  readonly skip?: boolean;
  /** See {@link Slots}. @defaultValue an expert for each output of the router */
  readonly slots?: Slots;
}

/** Stands for an expert that was pruned: its output is 0, and so is its gradient. */
function zeroExpert(rows: Tensor, outputShape: readonly number[]): Tensor {
  const zero = customGrad((x) => ({ value: zeros([rows.shape[0]!, ...outputShape]), gradFunc: () => zerosLike(x as Tensor) }));
  return zero(rows);
}

/**
 * What is common to the MoE layers: a router in front of E experts of the same shape, each with weights of its own.
 *
 * @remarks
 * Applied to one input, the router sees what the experts see. Applied to two, `moe.apply([x, gateInput])`, it sees the second, which has as many rows: a gate on the image, or features that
 * several MoE layers share.
 */
export abstract class RoutedLayer extends WeightedLayer {
  readonly router: Router;
  readonly sharedStart: boolean;
  readonly sharedExperts: number;
  readonly sharedWeight: number;
  readonly skip: boolean;
  readonly slots: Slots | undefined;
  #routerWeights: Weights = {};
  #experts: readonly Weights[] = [];

  constructor(args: RoutedLayerArgs) {
    super(args);
    this.sharedStart = args.sharedStart ?? false;
    this.sharedExperts = args.sharedExperts ?? 0;
    this.sharedWeight = args.sharedWeight ?? 1;
    this.skip = args.skip ?? false;
    expectInteger(this.getClassName(), 'sharedExperts', this.sharedExperts, 0);
    expectNumber(this.getClassName(), 'sharedWeight', this.sharedWeight);
    this.router = typeof args.router === 'string' ? routerFromConfig(fromConfigText(args.router) as NamedConfig, registeredParts()) : args.router;
    this.slots = args.slots;
    const { numExperts } = this.router;
    const fits = args.slots === undefined || (args.slots.length === numExperts && args.slots.every((expert) => Number.isInteger(expert) && expert >= -1) && Math.max(...args.slots) >= 0);
    expectArgument(this.getClassName(), `slots of '${this.name}'`, fits, `have an expert or -1 for each of the router's ${numExperts} outputs, not all -1`, args.slots);
  }

  /** What the layer computes, for those who count; `undefined` where nobody but the caller knows. */
  abstract get part(): LayerPart | undefined;
  /** Shape of one input row, `null` where any size will do; `undefined` if any shape will. */
  protected abstract get rowShape(): readonly (number | null)[] | undefined;
  /** How many leading axes of an input count rows: 1 for images, 2 for the tokens of examples. */
  protected get rowAxes(): number {
    return 1;
  }

  protected abstract expertWeights(): readonly WeightSpec[];
  /** @param expert - index; shared experts come after those of the router. */
  protected abstract runExpert(weights: Weights, rows: Tensor, call: CallArguments, expert: number): Tensor;

  /** Input as rows `[T,…]`. */
  protected toRows(input: Tensor): Tensor {
    return this.rowAxes === 1 ? input : reshape(input, [-1, ...input.shape.slice(this.rowAxes)]);
  }

  /** Output of the layer from those of its rows. */
  protected fromRows(outputs: Tensor, input: Tensor): Tensor {
    return this.rowAxes === 1 ? outputs : reshape(outputs, [...input.shape.slice(0, this.rowAxes), ...outputs.shape.slice(1)]);
  }

  /** Shape of a row as the router sees it, from that of the input without its leading axes. */
  protected gateShape(row: readonly number[]): readonly number[] {
    return row;
  }

  /** What decides the cost of the mixture, besides that of one expert. */
  protected get mixture(): Mixture {
    return { router: this.router, sharedExperts: this.sharedExperts, ...(this.slots !== undefined && { slots: this.slots }) };
  }

  get moeInfo(): MoeLayerInfo {
    const { numExperts, topK, batchInvariant, continuous } = this.router;
    return { name: this.name, numExperts, topK, batchInvariant, continuous };
  }

  /** A router that is shown what the experts see needs no second input: tfjs frees a tensor too early that goes into one layer twice. */
  override apply(inputs: Applied, kwargs?: Parameters<WeightedLayer['apply']>[1]): ReturnType<WeightedLayer['apply']> {
    const twice = Array.isArray(inputs) && inputs.length === 2 && inputs[0] === inputs[1];
    return super.apply(twice ? inputs[0]! : inputs, kwargs);
  }

  override build(inputShape: Shape | Shape[]): void {
    const caller = this.getClassName();
    const [shape, gateShape] = [onlyShape(inputShape), Array.isArray(inputShape[0]) ? (inputShape[1] as Shape) : undefined];
    const row = shape.slice(this.rowAxes);
    const { rowShape } = this;
    const fits = rowShape === undefined || (row.length === rowShape.length && rowShape.every((size, i) => size === null || size === row[i]));
    expectArgument(caller, `input of '${this.name}'`, fits, `have rows of shape [${rowShape?.map((size) => size ?? '*').join(',')}]`, shape);
    if (this.skip) expectArgument(caller, `output of '${this.name}'`, String(this.computeOutputShape(shape)) === String(shape), 'have the shape of the input, for its skip', this.computeOutputShape(shape));
    const known = (sizes: Shape): readonly number[] => sizes.map((size) => size ?? 0);
    const seen = gateShape === undefined ? this.gateShape(known(row)) : known(gateShape.slice(this.rowAxes));
    const initial = this.router.init(seen, createRng(this.seed).stream(this.name).stream('router'));
    try {
      this.#routerWeights = Object.fromEntries(
        Object.entries(initial).map(([name, { value, trainable }]) => [name, this.addWeightFrom(`router/${name}`, value.shape, trainable, () => value)]),
      );
    } finally {
      // tfjs disposes the values it asked for; it asks for none when a saved model is being loaded.
      dispose(Object.values(initial).flatMap(({ value }) => (value.isDisposed ? [] : [value])));
    }
    const specs = this.expertWeights();
    this.#experts = this.expertNames.map((name) => this.addWeights(specs, `${name}/`, this.sharedStart ? 'expert/' : undefined));
    this.built = true;
  }

  /** `expert0`, `expert1`, …, then `shared0`, …. */
  protected get expertNames(): readonly string[] {
    const named = (count: number, prefix: string): readonly string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
    return [...named(expertsWithWeights(this.mixture), 'expert'), ...named(this.sharedExperts, 'shared')];
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    const call = readCallArguments(kwargs);
    const choice = call.moe?.options.experts?.[this.name];
    const all = this.#experts.map((weights, expert) => (rows: Tensor) => this.runExpert(weights, rows, call, expert));
    const count = expertsWithWeights(this.mixture);
    const [living, shared] = [all.slice(0, count), all.slice(count)];
    const none: ExpertFn = (rows) => zeroExpert(rows, rowShapeOf(this.computeOutputShape([null, ...rows.shape.slice(1)])));
    const routed = this.slots?.map((expert) => living[expert] ?? none) ?? living;
    return tidy(() => {
      const [input, gateInput] = [inputs].flat() as [Tensor, Tensor?];
      const rows = this.toRows(input);
      const gateRows = gateInput === undefined ? rows : this.toRows(gateInput);
      const mixed = this.#run(rows, gateRows, routed, rows.shape[0]! / input.shape[0]!, choice, call);
      const outputs = this.fromRows(shared.reduce<Tensor>((sum, expert) => add(sum, mul(expert(rows), this.sharedWeight)), mixed), input);
      return this.skip ? add(outputs, input) : outputs;
    });
  }

  #run(rows: Tensor, gateRows: Tensor, experts: readonly ExpertFn[], rowsPerExample: number, choice: NonNullable<ForwardOptions['experts']>[string] | undefined, call: CallArguments): Tensor {
    if (typeof choice === 'number') return experts[choice]!(rows);
    if (choice !== undefined && 'shape' in choice) return dispatch({ combineWeights: choice, assignment: assignmentOf(choice.dataSync(), choice.shape[1]) }, rows, experts);
    const { rng, gate } = call.moe?.options ?? {};
    const previous = call.moe?.previous(rows.shape[0]!);
    const observe = call.moe?.observeBatchNorm;
    const context: RouteContext = {
      training: call.training,
      rowsPerExample,
      ...(rng !== undefined && { rng: rng.stream(this.name) }),
      ...(choice !== undefined && { allowed: choice }),
      ...(gate !== undefined && { gate }),
      ...(previous !== undefined && { previous }),
      ...(observe !== undefined && { observeStatistics: (norm: string, seen: GateStatistics) => observe(this.#routerWeights[`${norm}/movingMean`]!, { ...seen, unbiased: true }) }),
    };
    const weights = Object.fromEntries(Object.entries(this.#routerWeights).map(([name, weight]) => [name, weight.read()]));
    const plan = this.router.route(weights, gateRows, context);
    const { gateLogits, gates, combineWeights, auxLoss, droppedFraction, updates = {} } = plan;
    call.moe?.collect({ layer: this.name, gateLogits, gates, combineWeights, auxLoss, droppedFraction });
    if (call.updateStatistics) for (const [name, value] of Object.entries(updates)) this.#routerWeights[name]!.write(value);
    return dispatch(plan, rows, experts);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const shape = onlyShape(inputShape);
    return this.part === undefined ? shape : [shape[0] ?? null, ...partOutputShape(this.part, rowShapeOf(shape))];
  }

  override getConfig(): serialization.ConfigDict {
    const { name, options } = this.router;
    return { ...super.getConfig(), router: toConfigText({ name, options }), sharedStart: this.sharedStart, sharedExperts: this.sharedExperts, sharedWeight: this.sharedWeight, skip: this.skip, ...(this.slots !== undefined && { slots: [...this.slots] }) };
  }
}
