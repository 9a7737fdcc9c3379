export { assertRouterGradient } from './assert-router-gradient.js';
export { assignmentOf } from './assignment.js';
export { type DispatchOptions, type Dispatchable, dispatch } from './dispatch/dispatch.js';
export { type CapacityOptions, capacityOf, dropOverCapacity } from './capacity.js';
export { type ConvFcOptions, convFc } from './gates/conv-fc.js';
export { type ConvGapOptions, convGap } from './gates/conv-gap.js';
export { type CosineGateOptions, cosineGate } from './gates/cosine-gate.js';
export { type DoubleConvGapOptions, doubleConvGap } from './gates/double-conv-gap.js';
export { equalGate } from './gates/equal-gate.js';
export { firstChannelsGate } from './gates/first-channels-gate.js';
export { fixedRandomGate } from './gates/fixed-random-gate.js';
export { type GapFcOptions, gapFc } from './gates/gap-fc.js';
export { gateScores } from './gates/gate-scores.js';
export { type PrototypeGateOptions, prototypeGate } from './gates/prototype-gate.js';
export type { BalanceLoss, BalanceLossOptions } from './losses/balance-loss.js';
export { choicesLoss } from './losses/choices-loss.js';
export { columnEntropyLoss, entropyLoss } from './losses/entropy-loss.js';
export { importanceKlLoss } from './losses/importance-kl-loss.js';
export { type VarianceConvention, importanceLoss } from './losses/importance-loss.js';
export { type LoadLossOptions, loadLoss } from './losses/load-loss.js';
export type { BalanceOption, WeightedBalance } from './losses/balance-option.js';
export { type BalanceLossName, balanceLosses } from './losses/registry.js';
export { sparseImportanceLoss } from './losses/sparse-importance-loss.js';
export { centredSwitchLoss, switchLoss } from './losses/switch-loss.js';
export { varianceLoss } from './losses/variance-loss.js';
export { expertVariationLoss, tokenVarianceLoss } from './losses/weight-spread-losses.js';
export { zLoss } from './losses/z-loss.js';
export { softTopK } from './projections/soft-top-k.js';
export { sparsemax } from './projections/sparsemax.js';
export { type ConfigRegistry, type NamedConfig, gateFromConfig, routerFromConfig } from './router-from-config.js';
export type { FixedMapOptions, MapKey } from './plans/fixed-choice.js';
export { expertAgreement } from './regularisers/expert-agreement.js';
export { expertDiversity } from './regularisers/expert-diversity.js';
export { type RouterConsistencyOptions, routerConsistency } from './regularisers/router-consistency.js';
export { routerKl } from './regularisers/router-kl.js';
export { type RouterMarginOptions, routerMargin } from './regularisers/router-margin.js';
export { routerOrthogonality } from './regularisers/router-orthogonality.js';
export { type ConstrainedRouterOptions, constrainedRouter } from './routers/constrained-router.js';
export { type AcRouterOptions, acRouter } from './routers/ac-router.js';
export { baseRouter } from './routers/base-router.js';
export { type ExpertChoiceRouterOptions, expertChoiceRouter } from './routers/expert-choice-router.js';
export { type HashRouterOptions, hashRouter } from './routers/hash-router.js';
export { type PatchChoiceRouterOptions, patchChoiceRouter } from './routers/patch-choice-router.js';
export { pathwayRouter } from './routers/pathway-router.js';
export { type RandomRouterOptions, randomRouter } from './routers/random-router.js';
export { type RoundRobinRouterOptions, roundRobinRouter } from './routers/round-robin-router.js';
export { type SinkhornRouterOptions, sinkhornRouter } from './routers/sinkhorn-router.js';
export { type SoftMoeRouterOptions, softMoeRouter } from './routers/soft-moe-router.js';
export { type GshardRouterOptions, gshardRouter } from './routers/gshard-router.js';
export { type NoisyTopKRouterOptions, noisyTopKRouter } from './routers/noisy-top-k-router.js';
export { type ReluRouterOptions, reluRouter } from './routers/relu-router.js';
export type { RouterOptions, TokenChoiceOptions } from './routers/router-options.js';
export { type SigmoidRouterOptions, sigmoidRouter } from './routers/sigmoid-router.js';
export { type SoftTopKRouterOptions, softTopKRouter } from './routers/soft-top-k-router.js';
export { softmaxRouter } from './routers/softmax-router.js';
export { sparsemaxRouter } from './routers/sparsemax-router.js';
export { type SparseTransportRouterOptions, sparseTransportRouter } from './routers/sparse-transport-router.js';
export { type StMoeRouterOptions, stMoeRouter } from './routers/st-moe-router.js';
export { type SwitchRouterOptions, switchRouter } from './routers/switch-router.js';
export type { GateNormalisation, TopKRouterOptions } from './routers/top-k-options.js';
export { topKRouter } from './routers/top-k-router.js';
export { type VMoeRouterOptions, vMoeRouter } from './routers/v-moe-router.js';
export { type VoronoiRouterOptions, voronoiRouter } from './routers/voronoi-router.js';
export { type Decision, buildPlan, planTensors, shutExperts, softmaxWhere } from './plans/build-plan.js';
export { balancedAssignment } from './transport/balanced-assignment.js';
export { type SparsePlanOptions, type SparseTransport, sparsePlan } from './transport/sparse-plan.js';
export { sinkhornPlan } from './transport/sinkhorn-plan.js';
export type {
  Assignment,
  DevicePlan,
  ExpertFn,
  GateNetwork,
  GatePass,
  GateStatistics,
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
export { coActivation } from './usage/co-activation.js';
export { type RoutingChange, type RoutingChangeOptions, expectedIou, routingChange } from './usage/routing-change.js';
export { type ExpertUsage, classByExpert, expertUsage } from './usage/usage.js';
