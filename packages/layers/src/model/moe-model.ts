// Shapes: B batch, H W pixels, C channels, M classes, T rows, E experts.
import { type ForwardOptions, type ForwardResult, type MoeLayerInfo, type MoeModel, type Routing, expectArgument, expectInteger, expectKnownKeys, expectNumber, expectShape } from '@moe/core';
import { type Scalar, type Tensor, type Tensor2D, add, clone, scalar, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import type { MoeCall } from '../layers/call-arguments.js';
import { type RoutingTensors, collectRoutings, routingTensors } from './collect-routings.js';
import { leafLayers } from './leaf-layers.js';

const OPTIONS = ['training', 'updateStatistics', 'rng', 'experts', 'gate'];

function expectExperts(experts: NonNullable<ForwardOptions['experts']>, infos: readonly MoeLayerInfo[]): void {
  const names = infos.map(({ name }) => name);
  for (const [name, choice] of Object.entries(experts)) {
    const info = infos.find((candidate) => candidate.name === name);
    expectArgument('forward', 'experts', info !== undefined, `name MoE layers (${names.length === 0 ? 'this model has none' : names.join(', ')})`, name);
    if (typeof choice === 'number') {
      expectInteger('forward', `experts['${name}']`, choice, 0, info.numExperts - 1);
    } else if ('shape' in choice) {
      expectShape('forward', { [`experts['${name}']`]: choice }, ['T', info.numExperts]);
    } else {
      const what = `experts['${name}']`;
      expectArgument('forward', what, Array.isArray(choice) && choice.length === info.numExperts, `be an expert index or one boolean per expert (${info.numExperts})`, choice);
      expectArgument('forward', what, choice.some(Boolean), 'allow at least one expert', choice);
    }
  }
}

function expectOptions(options: ForwardOptions, infos: readonly MoeLayerInfo[]): void {
  expectKnownKeys('forward', options, OPTIONS);
  const { updateStatistics, training = false, experts, gate = 'hard' } = options;
  expectArgument('forward', 'updateStatistics', !(updateStatistics === true && !training), 'not be true outside training', updateStatistics);
  if (experts !== undefined) expectExperts(experts, infos);
  if (gate === 'hard' || gate === 'detached') return;
  expectArgument('forward', 'gate', typeof gate === 'object' && gate !== null, "be 'hard', 'detached' or { temperature }", gate);
  expectKnownKeys('forward', gate, ['temperature', 'relative']);
  expectNumber('forward', 'gate.temperature', gate.temperature, Number.MIN_VALUE);
  expectArgument('forward', 'gate.relative', ['boolean', 'undefined'].includes(typeof gate.relative), 'be true or false', gate.relative);
}

const withTensors = (routing: Routing, [gateLogits, gates, combineWeights, auxLoss]: RoutingTensors): Routing => ({
  ...routing,
  gateLogits,
  gates,
  combineWeights,
  auxLoss,
});

// By property, not by class: a program may hold an ESM and a CJS copy of this package.
const infoOf = (layer: layers.Layer): readonly MoeLayerInfo[] => ('moeInfo' in layer ? [layer.moeInfo as MoeLayerInfo] : []);

/**
 * View of a tfjs model as what trainers, attacks and evaluations take: one forward pass that tells and steers what its MoE layers do.
 *
 * @remarks
 * Holds no state and owns nothing; the weights stay those of `model`. While training, `rng` is advanced once per pass, and every MoE layer
 * draws from its own stream of the result.
 *
 * @param model - one input `[B,…]`, one output `[B,M]` (logits); built by {@link resnet} or by the caller, with or without MoE layers.
 * @returns A view whose `forward` gives tensors that the caller disposes.
 * @throws {@link ArgumentError} if the model has several inputs or outputs, or two MoE layers of one name. `forward` throws {@link ArgumentError} or {@link ShapeError} on bad
 * options or inputs, before any tensor work.
 *
 * @example
 * const view = moeModel(resnet({ depth: 10, width: 8, stem: 'cifar', classes: 10, inputShape: [28, 28, 1], seed: 1 }));
 * const { logits, auxLoss } = view.forward(images, { training: true });
 */
export function moeModel(model: LayersModel): MoeModel {
  expectArgument('moeModel', 'model', model.inputs.length === 1 && model.outputs.length === 1, 'have one input and one output', `${model.inputs.length} and ${model.outputs.length}`);
  const moeLayers = leafLayers(model).flatMap(infoOf);
  const twice = moeLayers.map(({ name }) => name).find((name, i, names) => names.indexOf(name) !== i);
  expectArgument('moeModel', 'MoE layers', twice === undefined, 'have unique names', twice, 'Give the layers of nested models different names.');
  const rowShape = model.inputs[0]!.shape.slice(1).map((size) => size ?? '*');

  const forward = (inputs: Tensor, options: ForwardOptions = {}): ForwardResult => {
    expectOptions(options, moeLayers);
    expectShape('forward', { inputs }, ['B', ...rowShape]);
    expectArgument('forward', 'inputs', inputs.dtype === 'float32', "have dtype 'float32'", inputs.dtype, 'Scale pixels to [0, 1].');
    const { training = false, rng } = options;
    const passRng = training ? rng?.at(rng.nextSeed()) : rng;
    const { collected, collect, previous, release } = collectRoutings();
    const moe: MoeCall = { options: { ...options, ...(passRng !== undefined && { rng: passRng }) }, collect, previous };
    try {
      const { logits, copies, auxLoss } = tidy(() => {
        const logits = model.apply(inputs, { training, moe }) as Tensor2D;
        // Clones belong to the scope of the caller, and gradients flow through them.
        const copies = collected.map((routing) => routingTensors(routing).map((tensor) => clone(tensor)) as RoutingTensors);
        const auxLoss = copies.reduce<Scalar>((total, [, , , loss]) => add(total, loss), scalar(0));
        return { logits, copies, auxLoss };
      });
      return { logits, routing: collected.map((routing, i) => withTensors(routing, copies[i]!)), auxLoss };
    } finally {
      release();
    }
  };
  return { moeLayers, forward };
}
