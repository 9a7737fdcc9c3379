import type { LogitsFn, MoeModel } from '@moe/core';
import { countMacs, countParameters, logitsFn, moeModel, vit } from '@moe/layers';
import { type Router, gapFc, vMoeRouter } from '@moe/router';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Config } from './protocol.js';

/** Fashion-MNIST, over the training images. */
const NORMALIZE = { mean: [0.286], std: [0.353] } as const;

/** V-MoE's router with the settings of the released code: noise 1/E, capacity 1.5 in training and none in evaluation; with two experts the loss of GShard instead of importance and load. */
function routerOf({ numExperts, topK }: NonNullable<Config['row']['moe']>): Router {
  const shared = { numExperts, topK, gate: gapFc({ bias: false }), capacity: { factor: 1.5, multipleOf: 4 } };
  return numExperts === 2 ? vMoeRouter({ ...shared, balance: { loss: 'switchLoss', weight: 0.01 } }) : vMoeRouter({ ...shared, balance: { loss: 'importanceLoss', weight: 0.005 }, loadWeight: 0.005 });
}

/** A network of the comparison, with the views that training and attacks take. */
export interface Model {
  readonly network: LayersModel;
  readonly view: MoeModel;
  readonly logits: LogitsFn;
  readonly parameters: number;
  /** Multiply-adds of an image, with the experts that run. */
  readonly macs: number;
}

/** The network of a run before training; every second block mixes. */
export function buildModel({ row, network: { hidden, depth, ...shape }, seed }: Config): Model {
  const layers = Array.from({ length: depth }, (_, layer) => layer).filter((layer) => layer % 2 === 1);
  const network = vit({
    ...shape,
    depth,
    hidden: Math.round(hidden * row.widen),
    classes: 10,
    inputShape: [28, 28, 1],
    normalize: NORMALIZE,
    seed,
    ...(row.moe !== null && { moe: { layers, router: routerOf(row.moe) } }),
  });
  const view = moeModel(network);
  return { network, view, logits: logitsFn(view), parameters: countParameters(network), macs: countMacs(network) };
}
