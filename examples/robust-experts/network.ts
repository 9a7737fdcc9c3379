import type { MoeOptions, ResnetOptions } from '@moe/layers';
import { routerOf } from './router.js';
import type { Config, Kind, Loss, ModelName } from './schema.js';

/** Mean and standard deviation of each channel. */
const NORMALIZE = {
  cifar10: { mean: [125.3 / 255, 123 / 255, 113.9 / 255], std: [63 / 255, 62.1 / 255, 66.7 / 255] },
  cifar100: { mean: [0.5070751592371323, 0.48654887331495095, 0.4409178433670343], std: [0.2673342858792401, 0.2564384629170883, 0.27615047132568404] },
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  mnist: { mean: [0.1307], std: [0.3081] },
} as const;

/** Channels inside the narrow experts of the predecessor, of a stage whose width is 1, 2, 4 or 8 times that of the first; two of them cost about one dense stage. */
const NARROW: Readonly<Record<number, number>> = { 1: 25 / 64, 2: 50 / 64, 4: 90 / 64, 8: 180 / 64 };

const namesOf = (name: ModelName): { readonly kind: Kind; readonly loss: Loss } => {
  const [kind, ...rest] = name.split('-');
  return { kind: kind as Kind, loss: rest.join('-') as Loss };
};

function mixture(name: ModelName, { moe, network: { width } }: Config): MoeOptions {
  const { kind, loss } = namesOf(name);
  return {
    at: moe.at.split(',').map((place) => place.trim()),
    kind,
    router: routerOf(loss, moe),
    gateFrom: moe.gateFrom === 'features' ? { features: 256 } : moe.gateFrom,
    ...(kind === 'conv' ? { downsample: moe.downsample } : {}),
    ...(kind === 'stage' ? { residual: moe.residual, innerWidth: (_, filters) => Math.max(1, Math.round((NARROW[filters / width] ?? 1) * width)) } : {}),
  };
}

/** What `resnet` and `resnetSpec` take for the network that `name` stands for. */
export function networkOptions(name: ModelName, config: Config, data: { readonly classes: number; readonly inputShape: readonly [number, number, number] }): ResnetOptions {
  const { normalize, ...network } = config.network;
  return {
    ...network,
    ...data,
    seed: config.seed,
    ...(normalize === 'none' ? {} : { normalize: NORMALIZE[normalize] }),
    ...(name === 'dense' ? {} : { moe: mixture(name, config) }),
  };
}
