import { expectArgument, expectInteger } from '@moe/core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { NetworkBuilder } from '../spec/network-builder.js';
import type { LayerPart, LayerSpec, NetworkSpec } from '../spec/parts.js';
import { describeNetwork } from './describe-network.js';
import { expertWeightName, rebuild, valuesByName } from './rebuild.js';
import { physicalExpert } from './slots.js';

/**
 * Makes single experts dense: a network in whose chosen MoE layers one expert has taken the place of the mixture.
 *
 * @remarks
 * Computes what the sparse network does with `experts: { PLACE: index }`, without gate and without the other experts, in layers of the names that the dense network has: for
 * instance to ship the one expert that turned out robust. MoE layers that are not named stay as they are.
 *
 * @param network - a network of this package; it is left as it was.
 * @param experts - index of the expert by name of the layer; for layers that a dense network has, so not for stages of narrow experts, patches or shared experts.
 * @returns A new model; the caller disposes it. It shares the numbers of the sparse one until either is trained.
 * @throws {@link ArgumentError} if a layer or an expert does not exist, or cannot be made dense.
 *
 * @example
 * const dense = extractExperts(network, { 'layer4.0': 2, 'layer4.1': 0 });
 */
export function extractExperts(network: LayersModel, experts: Readonly<Record<string, number>>): LayersModel {
  const spec = describeNetwork('extractExperts', network);
  const chosen = new Map(Object.entries(experts).map(([layer, expert]) => [layer, chosenExpert(spec, layer, expert)]));
  const values = valuesByName(network);
  const sources = new Map([...values].flatMap(([name, value]) => {
    const parts = expertWeightName(name);
    if (parts === undefined || chosen.get(parts.layer) !== parts.expert) return [[name, value] as const];
    const { layer, rest } = parts;
    // A block's weights become those of layers below its path, others those of one layer at it.
    return [[`${layer}.${rest}`, value], [`${layer}/${rest}`, value]] as const;
  }));
  return rebuild(unfold(spec, new Set(chosen.keys())), (name) => sources.get(name));
}

const DENSE_FORM: readonly LayerPart['kind'][] = ['blockMoe', 'convMoe', 'denseMoe', 'linearMoe'];
const canBeDense = (part: LayerPart): boolean => DENSE_FORM.includes(part.kind) && 'router' in part && (part.sharedExperts ?? 0) === 0;

function chosenExpert({ layers }: NetworkSpec, layer: string, expert: number): number {
  const part = layers.find(({ name }) => name === layer)?.part;
  const mixed = layers.filter((candidate) => canBeDense(candidate.part)).map(({ name }) => name);
  expectArgument('extractExperts', 'experts', part !== undefined && mixed.includes(layer), `name MoE layers that have a dense form (${mixed.join(', ') || 'there are none'})`, layer);
  if (!('router' in part)) return expert;
  expectInteger('extractExperts', `experts['${layer}']`, expert, 0, part.router.numExperts - 1);
  return physicalExpert('extractExperts', `experts['${layer}']`, part, expert);
}

/** The description with the named MoE layers dense. */
function unfold(spec: NetworkSpec, dense: ReadonlySet<string>): NetworkSpec {
  const outputs = new Map<string, string>();
  const layers: LayerSpec[] = [];
  for (const layer of spec.layers) {
    const inputs = layer.inputs.map((name) => outputs.get(name) ?? name);
    const { part, name } = layer;
    const { gateShape: _, ...ungated } = layer;
    // A gate on a second input goes with the gate.
    const push = (changed: LayerPart): void => void layers.push({ ...ungated, inputs: inputs.slice(0, 1), part: changed });
    if (!dense.has(name)) layers.push({ ...layer, inputs });
    else if (part.kind === 'convMoe') push({ kind: 'conv', conv: part.conv });
    else if (part.kind === 'denseMoe') push({ kind: 'feedForward', hidden: part.hidden, dropout: part.dropout ?? 0 });
    else if (part.kind === 'linearMoe') push({ kind: 'linear', units: part.units, activation: 'relu' });
    else if (part.kind === 'blockMoe') {
      const builder = new NetworkBuilder(layer.inputShape, { ...(part.block.batchNorm !== undefined && { batchNorm: part.block.batchNorm }) });
      outputs.set(name, builder.block(name, part.block, 'input'));
      layers.push(...builder.layers.map((inner) => ({ ...inner, inputs: inner.inputs.map((from) => (from === 'input' ? inputs[0]! : from)) })));
    }
  }
  return { ...spec, layers };
}
