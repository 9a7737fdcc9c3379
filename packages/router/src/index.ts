export { assignmentOf } from './assignment.js';
export { type DispatchOptions, type Dispatchable, dispatch } from './dispatch/dispatch.js';
export { type ConvGapOptions, convGap } from './gates/conv-gap.js';
export { gapFc } from './gates/gap-fc.js';
export type { BalanceLoss, BalanceLossOptions } from './losses/balance-loss.js';
export { columnEntropyLoss, entropyLoss } from './losses/entropy-loss.js';
export type { BalanceOption, WeightedBalance } from './losses/balance-option.js';
export { type BalanceLossName, balanceLosses } from './losses/registry.js';
export { centredSwitchLoss, switchLoss } from './losses/switch-loss.js';
export { varianceLoss } from './losses/variance-loss.js';
export { type ConfigRegistry, type NamedConfig, gateFromConfig, routerFromConfig } from './router-from-config.js';
export type { GateNormalisation, TopKRouterOptions } from './routers/top-k-options.js';
export { topKRouter } from './routers/top-k-router.js';
export { type Decision, buildPlan, planTensors, shutExperts, softmaxWhere } from './plans/build-plan.js';
export type {
  Assignment,
  DevicePlan,
  ExpertFn,
  GateNetwork,
  GradientPath,
  InitialWeight,
  InitialWeights,
  Plan,
  RouteContext,
  Router,
  SoftPlan,
  SoftSlots,
  SparsePlan,
  Weights,
} from './types.js';
export { type ExpertUsage, classByExpert, expertUsage } from './usage.js';
