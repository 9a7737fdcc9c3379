import { type MoeModel, expectArgument } from '@moe/core';
import { moeModel } from '@moe/layers';
import { type Tensor, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, input, model } from '@tensorflow/tfjs-layers';

/** One MoE layer by itself, and the tokens that come to it. */
export interface LayerAt {
  /** `[B,N,D] → [B,N,D]`, in the place of logits. */
  readonly view: MoeModel;
  /** Tokens of images `[B,N,D]`; the caller disposes them. */
  readonly tokens: (images: Tensor) => Tensor3D;
}

/** Cuts a layer out of a network; weights are shared. */
export function layerAt(network: LayersModel, name: string): LayerAt {
  const layer = network.getLayer(name);
  // Not `layer.input`, which a second cut would make ambiguous.
  const before = layer.getInputAt(0);
  expectArgument('layerAt', 'layer', !Array.isArray(before), 'have one input', name);
  const upTo = model({ inputs: network.inputs, outputs: before });
  const rows = input({ shape: before.shape.slice(1) });
  const alone = model({ inputs: rows, outputs: layer.apply(rows) as SymbolicTensor });
  return { view: moeModel(alone), tokens: (images) => tidy(() => upTo.apply(images, { training: false }) as Tensor3D) };
}
