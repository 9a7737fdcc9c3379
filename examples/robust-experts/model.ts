import type { Dataset, LogitsFn, MoeModel, Weight } from '@moe/core';
import { countMacs, countParameters, logitsFn, modelWeights, moeModel, resnet } from '@moe/layers';
import { columnEntropyLoss, convGap, entropyLoss, centredSwitchLoss, gapFc, topKRouter } from '@moe/router';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Config, ModelName } from './config.js';
import { type RoutePath } from './jobs.js';
import { fixedLayer } from './summary.js';

export interface Model {
  readonly view: MoeModel;
  readonly weights: readonly Weight[];
  readonly parameters: number;
  readonly macs: number;
  readonly network: LayersModel;
  /** Classifier along one path, in evaluation mode. */
  readonly logits: (path: RoutePath) => LogitsFn;
}

/** Balance losses of Robust Experts, Sec. 3, by the second half of a model's name. */
const LOSSES = { switch: centredSwitchLoss, entropy: entropyLoss, 'column-entropy': columnEntropyLoss } as const;

/** Losses under which the paper's router has no noise while training (its released code, TopKGate). */
const NOISELESS: readonly (keyof typeof LOSSES)[] = ['entropy'];

/** Builds the network that `name` stands for; the same configuration gives the same initial weights. */
export function buildModel(name: ModelName, config: Config, data: Dataset): Model {
  const { depth, width, stem } = config.network;
  const { at, numExperts, topK, gate, balanceWeight, noiseStd } = config.moe;
  const [kind, ...rest] = name.split('-');
  const loss = rest.join('-') as keyof typeof LOSSES;
  const network = resnet({
    depth,
    width,
    stem,
    classes: data.classNames.length,
    inputShape: data.inputShape,
    seed: config.seed,
    ...(kind === 'dense'
      ? {}
      : {
          moe: {
            at,
            kind: kind as 'block' | 'conv',
            router: topKRouter({
              numExperts,
              topK,
              gate: gate === 'gap-fc' ? gapFc() : convGap({ kernel: 3 }),
              balance: { loss: LOSSES[loss], weight: balanceWeight },
              noiseStd: NOISELESS.includes(loss) ? 0 : noiseStd,
            }),
          },
        }),
  });
  const view = moeModel(network);
  const layers = view.moeLayers.map((layer) => layer.name);
  return {
    view,
    weights: modelWeights(network),
    parameters: countParameters(network),
    macs: countMacs(network),
    network,
    logits: (path) => logitsFn(view, path === 'gated' ? {} : { experts: { [fixedLayer(layers)]: path } }),
  };
}
