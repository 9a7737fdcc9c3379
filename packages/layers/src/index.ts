export { type CountMacsOptions, countMacs, countParameters } from './counting/count.js';
export type { CallArguments, MoeCall } from './layers/call-arguments.js';
export { registerMoeLayers } from './layers/register.js';
export { type LogitsFnOptions, logitsFn } from './model/logits-fn.js';
export { modelWeights } from './model/model-weights.js';
export { moeModel } from './model/moe-model.js';
export { resnet } from './resnet.js';
export type { BlockSpec, ConvSpec, LayerPart, LayerSpec, ResnetSpec, RowShape } from './spec/parts.js';
export { type ResnetMoeOptions, type ResnetOptions, resnetSpec } from './spec/resnet-spec.js';
