// Shapes: E outputs of a router.
import { createRng, expectArgument } from '@moe/core';
import type { Router } from '@moe/router';
import { type Tensor, dispose, gather, tensor1d } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { LayerPart, LayerSpec, Mixture, NetworkSpec, RowShape } from '../spec/parts.js';
import { describeNetwork } from './describe-network.js';
import { expertWeightName, rebuild, valuesByName } from './rebuild.js';

/** What becomes of one MoE layer. */
export interface MixtureChange {
  readonly router: Router;
  /** For each output of the new router the output of the old one that it was. @defaultValue the same */
  readonly outputs?: readonly number[];
  readonly slots: readonly number[];
  /** Value of a weight of an expert with weights, from the values of the old experts; `rest` is its name within the expert. */
  readonly expert: (expert: number, valueOf: (old: number) => Tensor) => Tensor;
}

export type RoutedSpec = LayerSpec & { readonly part: Extract<LayerPart, Mixture> };

/** The MoE layer of a name. */
export function routedSpec(caller: string, { layers }: NetworkSpec, name: string): RoutedSpec {
  const routed = layers.filter((layer): layer is RoutedSpec => 'router' in layer.part);
  const found = routed.find((layer) => layer.name === name);
  expectArgument(caller, 'layers', found !== undefined, `be MoE layers (${routed.map((layer) => layer.name).join(', ') || 'there are none'})`, name);
  return found;
}

/** Which outputs of the router have no expert of their own place: the identity needs no slots. */
const isIdentity = (slots: readonly number[]): boolean => slots.every((expert, i) => expert === i);

/**
 * A network whose MoE layers have other routers, or other experts; everything else is shared with the old one.
 *
 * @param change - decides for each named layer.
 */
export function changeMixtures(caller: string, network: LayersModel, names: readonly string[], change: (layer: RoutedSpec) => MixtureChange): LayersModel {
  const spec = describeNetwork(caller, network);
  const changes = new Map(names.map((name) => {
    const layer = routedSpec(caller, spec, name);
    return [name, { layer, ...change(layer) }];
  }));
  const values = valuesByName(network);
  const layers = spec.layers.map((layer): LayerSpec => {
    const changed = changes.get(layer.name);
    if (changed === undefined) return layer;
    const { slots: _, ...part } = changed.layer.part;
    return { ...layer, part: { ...part, router: changed.router, ...(!isIdentity(changed.slots) && { slots: changed.slots }) } as LayerPart };
  });
  return rebuild({ ...spec, layers }, (name) => {
    const expert = expertWeightName(name);
    const changed = changes.get(expert?.layer ?? name.split('/')[0]!);
    if (changed === undefined) return values.get(name);
    if (expert !== undefined) return changed.expert(expert.expert, (old) => values.get(`${expert.layer}/expert${old}/${expert.rest}`)!);
    const value = values.get(name);
    const weight = /\/router\/(.+)$/.exec(name)?.[1];
    if (value === undefined || weight === undefined || changed.outputs === undefined) return value;
    return chosenOutputs(value, weight, changed.layer, changed.router, changed.outputs);
  });
}

function shapesOf(router: Router, row: RowShape): ReadonlyMap<string, readonly number[]> {
  const weights = Object.entries(router.init(row, createRng(0)));
  dispose(weights.map(([, { value }]) => value));
  return new Map(weights.map(([name, { value }]) => [name, value.shape]));
}

/** A weight of a router reduced to some outputs, along the axes whose length depends on their number. */
function chosenOutputs(value: Tensor, weight: string, layer: RoutedSpec, router: Router, outputs: readonly number[]): Tensor {
  const row = layer.gateShape ?? layer.inputShape;
  const rowSeen = layer.part.kind === 'denseMoe' ? row.slice(1) : row;
  const [before, after] = [layer.part.router, router].map((each) => shapesOf(each, rowSeen).get(weight) ?? []);
  return before!.reduce<Tensor>((reduced, size, axis) => (size === after![axis] ? reduced : gather(reduced, tensor1d([...outputs], 'int32'), axis)), value);
}
