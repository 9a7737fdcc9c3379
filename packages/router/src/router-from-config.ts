import { expectArgument } from '@moe/core';
import { convFc } from './gates/conv-fc.js';
import { convGap } from './gates/conv-gap.js';
import { cosineGate } from './gates/cosine-gate.js';
import { doubleConvGap } from './gates/double-conv-gap.js';
import { equalGate } from './gates/equal-gate.js';
import { firstChannelsGate } from './gates/first-channels-gate.js';
import { fixedRandomGate } from './gates/fixed-random-gate.js';
import { gapFc } from './gates/gap-fc.js';
import { prototypeGate } from './gates/prototype-gate.js';
import type { BalanceLoss } from './losses/balance-loss.js';
import { balanceLosses } from './losses/registry.js';
import { acRouter } from './routers/ac-router.js';
import { baseRouter } from './routers/base-router.js';
import { constrainedRouter } from './routers/constrained-router.js';
import { expertChoiceRouter } from './routers/expert-choice-router.js';
import { hashRouter } from './routers/hash-router.js';
import { patchChoiceRouter } from './routers/patch-choice-router.js';
import { pathwayRouter } from './routers/pathway-router.js';
import { randomRouter } from './routers/random-router.js';
import { roundRobinRouter } from './routers/round-robin-router.js';
import { sinkhornRouter } from './routers/sinkhorn-router.js';
import { softMoeRouter } from './routers/soft-moe-router.js';
import { gshardRouter } from './routers/gshard-router.js';
import { noisyTopKRouter } from './routers/noisy-top-k-router.js';
import { reluRouter } from './routers/relu-router.js';
import { sigmoidRouter } from './routers/sigmoid-router.js';
import { softmaxRouter } from './routers/softmax-router.js';
import { softTopKRouter } from './routers/soft-top-k-router.js';
import { sparsemaxRouter } from './routers/sparsemax-router.js';
import { sparseTransportRouter } from './routers/sparse-transport-router.js';
import { stMoeRouter } from './routers/st-moe-router.js';
import { switchRouter } from './routers/switch-router.js';
import { topKRouter } from './routers/top-k-router.js';
import { vMoeRouter } from './routers/v-moe-router.js';
import { voronoiRouter } from './routers/voronoi-router.js';
import type { GateNetwork, Router } from './types.js';

/** Name and options of a router or gate network; plain JSON. */
export interface NamedConfig {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

type Options = NamedConfig['options'];

/** The caller's own parts, by the names that they have in the JSON. */
export interface ConfigRegistry {
  readonly routers?: Readonly<Record<string, (options: Options) => Router>>;
  readonly gates?: Readonly<Record<string, (options: Options) => GateNetwork>>;
  readonly losses?: Readonly<Record<string, BalanceLoss>>;
}

/** Looks up own properties only, so that a name like `constructor` from a file finds nothing. */
function find<T>(what: string, name: string, ...tables: readonly (Readonly<Record<string, T>> | undefined)[]): T {
  const table = tables.find((candidate) => candidate !== undefined && Object.hasOwn(candidate, name));
  const known = tables.flatMap((candidate) => Object.keys(candidate ?? {}));
  expectArgument('routerFromConfig', what, table !== undefined, `be one of ${known.join(', ')}`, name, 'Pass your own in the registry.');
  return table[name]!;
}

/**
 * Makes the gate network that `{ name, options }` describes.
 *
 * @throws {@link ArgumentError} if the name is not known, or an option is wrong.
 */
export function gateFromConfig(config: NamedConfig, registry: ConfigRegistry = {}): GateNetwork {
  return find('gate.name', config.name, registry.gates, GATES)(config.options);
}

/**
 * Makes the router whose `name` and `options` were saved: the inverse of reading them off a {@link Router}.
 *
 * @param config   - `{ name: router.name, options: router.options }`, as it came from JSON.
 * @param registry - the caller's own routers, gate networks and losses, where the configuration names any.
 * @throws {@link ArgumentError} if a name is not known, or an option is wrong.
 *
 * @example
 * const copy = routerFromConfig(JSON.parse(JSON.stringify({ name: router.name, options: router.options })));
 */
export function routerFromConfig(config: NamedConfig, registry: ConfigRegistry = {}): Router {
  return find('name', config.name, registry.routers, ROUTERS)(withParts(config.options, registry));
}

/** Every router of this package, by the name that it has in JSON; each checks the options itself. */
const ROUTERS: NonNullable<ConfigRegistry['routers']> = {
  constrainedRouter: (options) => constrainedRouter(options as never),
  acRouter: (options) => acRouter(options as never),
  baseRouter: (options) => baseRouter(options as never),
  expertChoiceRouter: (options) => expertChoiceRouter(options as never),
  gshardRouter: (options) => gshardRouter(options as never),
  hashRouter: (options) => hashRouter(options as never),
  noisyTopKRouter: (options) => noisyTopKRouter(options as never),
  patchChoiceRouter: (options) => patchChoiceRouter(options as never),
  pathwayRouter: (options) => pathwayRouter(options as never),
  randomRouter: (options) => randomRouter(options as never),
  reluRouter: (options) => reluRouter(options as never),
  roundRobinRouter: (options) => roundRobinRouter(options as never),
  sigmoidRouter: (options) => sigmoidRouter(options as never),
  sinkhornRouter: (options) => sinkhornRouter(options as never),
  softmaxRouter: (options) => softmaxRouter(options as never),
  softMoeRouter: (options) => softMoeRouter(options as never),
  softTopKRouter: (options) => softTopKRouter(options as never),
  sparsemaxRouter: (options) => sparsemaxRouter(options as never),
  sparseTransportRouter: (options) => sparseTransportRouter(options as never),
  stMoeRouter: (options) => stMoeRouter(options as never),
  switchRouter: (options) => switchRouter(options as never),
  topKRouter: (options) => topKRouter(options as never),
  vMoeRouter: (options) => vMoeRouter(options as never),
  voronoiRouter: (options) => voronoiRouter(options as never),
};

/** Every gate network of this package, likewise. */
const GATES: NonNullable<ConfigRegistry['gates']> = {
  convFc: (options) => convFc(options),
  convGap: (options) => convGap(options),
  cosineGate: (options) => cosineGate(options),
  doubleConvGap: (options) => doubleConvGap(options),
  equalGate: (options) => equalGate(options as never),
  firstChannelsGate: (options) => firstChannelsGate(options as never),
  fixedRandomGate: () => fixedRandomGate(),
  gapFc: (options) => gapFc(options),
  prototypeGate: (options) => prototypeGate(options),
};

/** Puts routers, gate networks and losses in the place of their names. */
function withParts({ gate, balance, router, ...rest }: Options, registry: ConfigRegistry): Options {
  return {
    ...rest,
    ...(router !== undefined && { router: routerFromConfig(router as NamedConfig, registry) }),
    ...(gate !== undefined && { gate: gateFromConfig(gate as NamedConfig, registry) }),
    ...(balance !== undefined && { balance: (balance as { loss: string; weight: number }[]).map((entry) => withLoss(entry, registry)) }),
  };
}

function withLoss({ loss, weight }: { loss: string; weight: number }, { losses }: ConfigRegistry): { loss: BalanceLoss; weight: number } {
  return { loss: find<BalanceLoss>('balance.loss', loss, losses, balanceLosses), weight };
}
