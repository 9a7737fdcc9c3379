import type { LayersModel, SymbolicTensor, layers } from '@tensorflow/tfjs-layers';
import { ArgumentError, expectArgument, expectKnownKeys } from '@moe/core';
import { concat, residual, sequence } from '../network/composite-nodes.js';
import { identity } from '../network/constant-nodes.js';
import { channelScale } from '../network/linear-nodes.js';
import type { NetworkNode } from '../network/nodes.js';
import { type LayerAdapter, type LayerUse, STOCK_ADAPTERS } from './adapters.js';
import { LIPSCHITZ_ADAPTERS } from './lipschitz-adapters.js';

export interface DescribeOptions {
  /** Adapters by class name, for layers of the caller's own or instead of a stock one. */
  readonly adapters?: Readonly<Record<string, LayerAdapter>>;
}

type Adapters = Readonly<Record<string, LayerAdapter>>;

const MODELS = ['Model', 'Functional', 'Sequential'];

const sum = (branches: readonly NetworkNode[], name: string): NetworkNode => branches.reduce((total, branch) => residual(total, branch, name));

/** Layers with several inputs that start from one tensor, by class name. */
const MERGES: Readonly<Record<string, (branches: readonly NetworkNode[], name: string) => NetworkNode>> = {
  Add: sum,
  Average: (branches, name) => sequence([sum(branches, name), channelScale({ factors: [1 / branches.length], shifts: [0] })], name),
  Concatenate: concat,
  Maximum: concat,
  Minimum: concat,
};

/** tfjs puts the layer's name, and those of models around it, before the name that the layer gave. */
function ownName(layer: layers.Layer, scoped: string): string {
  const scope = `/${layer.name}/`;
  const at = `/${scoped}`.indexOf(scope);
  return at < 0 ? scoped : `/${scoped}`.slice(at + scope.length);
}

function useOf(layer: layers.Layer, input: SymbolicTensor): LayerUse {
  return {
    inputShape: input.shape.slice(1),
    weights: Object.fromEntries(layer.weights.map((weight) => [ownName(layer, weight.originalName), weight.read()])),
    config: layer.getConfig(),
  };
}

function describeLayer(layer: layers.Layer, input: SymbolicTensor, adapters: Adapters): NetworkNode {
  const className = layer.getClassName();
  const adapter = adapters[className];
  if (adapter !== undefined) return adapter(layer, useOf(layer, input));
  if (MODELS.includes(className)) return describeGraph(layer as LayersModel, adapters);
  throw new ArgumentError(`describeLayersModel: layer '${layer.name}' of class ${className} has no adapter. Pass options.adapters.${className}; an unknown layer is never taken for harmless.`);
}

/** For each tensor, those that every path from the input to it passes, in this order and itself last. */
function gatesOf(tensor: SymbolicTensor, kept: Map<number, readonly SymbolicTensor[]>): readonly SymbolicTensor[] {
  const known = kept.get(tensor.id);
  if (known !== undefined) return known;
  const gates = [...commonGates(tensor.inputs, kept), tensor];
  kept.set(tensor.id, gates);
  return gates;
}

function commonGates(tensors: readonly SymbolicTensor[], kept: Map<number, readonly SymbolicTensor[]>): readonly SymbolicTensor[] {
  const lists = tensors.map((tensor) => gatesOf(tensor, kept));
  return (lists[0] ?? []).filter((gate) => lists.every((list) => list.includes(gate)));
}

function describeGraph(model: LayersModel, adapters: Adapters): NetworkNode {
  const { inputs, outputs } = model;
  expectArgument('describeLayersModel', `model '${model.name}'`, inputs.length === 1 && outputs.length === 1, 'have one input and one output', `${inputs.length} and ${outputs.length}`);
  const kept = new Map<number, readonly SymbolicTensor[]>();

  // The map from one tensor to a later one that all its paths start from.
  const between = (from: SymbolicTensor, to: SymbolicTensor, name: string): NetworkNode => {
    const nodes: NetworkNode[] = [];
    for (let at = to; at !== from; ) {
      const layer = at.sourceLayer;
      if (at.inputs.length === 1) {
        nodes.unshift(describeLayer(layer, at.inputs[0]!, adapters));
        at = at.inputs[0]!;
        continue;
      }
      const merge = MERGES[layer.getClassName()];
      expectArgument('describeLayersModel', `layer '${layer.name}' with ${at.inputs.length} inputs`, merge !== undefined, `be of class ${Object.keys(MERGES).join(', ')}`, layer.getClassName());
      const fork = commonGates(at.inputs, kept).at(-1);
      expectArgument('describeLayersModel', `inputs of layer '${layer.name}'`, fork !== undefined, `come from the input of model '${model.name}'`, 'another source');
      const branches = at.inputs.map((input, i) => (input === fork ? identity('skip') : between(fork, input, `branch${i}`)));
      nodes.unshift(merge(branches, layer.name));
      at = fork;
    }
    return nodes.length === 1 ? nodes[0]! : sequence(nodes, name);
  };
  return between(inputs[0] as SymbolicTensor, outputs[0] as SymbolicTensor, model.name);
}

/**
 * Describes a tfjs `LayersModel` in evaluation mode, for {@link productBound} and {@link gatedBounds}.
 *
 * @remarks
 * Walks the model from its output to its input. Layers are told by class name: the stock ones of {@link STOCK_ADAPTERS}, the 1-Lipschitz ones of this package, those that merge paths (`Add`, `Average`, `Concatenate`, `Maximum`, `Minimum`), nested models, and the caller's.
 * Weights are copied now; describe again after training.
 *
 * @param model   - one input, one output, with a fixed image size where it convolves.
 * @param options - see {@link DescribeOptions}.
 * @throws {@link ArgumentError} that names the layer and its class if there is no adapter for it; nothing is guessed.
 *
 * @example
 * const network = describeLayersModel(model, { adapters: { MyBlock: (layer, { weights }) => dense({ name: layer.name, kernel: weights.kernel }) } });
 * productBound(network).bound.value;
 */
export function describeLayersModel(model: LayersModel, options: DescribeOptions = {}): NetworkNode {
  expectKnownKeys('describeLayersModel', options, ['adapters']);
  return describeGraph(model, { ...STOCK_ADAPTERS, ...LIPSCHITZ_ADAPTERS, ...options.adapters });
}
