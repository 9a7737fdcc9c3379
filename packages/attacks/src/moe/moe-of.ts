import { type LogitsFn, type MoeLayerInfo, type MoeLogitsFn, type MoeModel, expectArgument } from '@moe/core';

/** The model that a logits function was made of: what attacks on routing steer. */
export function moeOf(caller: string, model: LogitsFn): MoeModel {
  const { moe } = model as Partial<MoeLogitsFn>;
  expectArgument(caller, 'model', moe !== undefined, 'bring its MoE model', 'a plain function', 'Pass logitsFn(moeModel(network)) of @moe/layers, without options.');
  expectArgument(caller, 'model', moe.moeLayers.length > 0, 'have MoE layers', 'none');
  return moe;
}

/** Layers whose rows choose experts; those that weight all of them have no routes to flip. */
export const choosing = ({ moeLayers }: MoeModel): readonly MoeLayerInfo[] => moeLayers.filter(({ numExperts, topK, continuous }) => topK < numExperts && !continuous);
