export type { Assignment, ExpertFn, GateNetwork, GradientPath, InitialWeight, InitialWeights, Plan, RouteContext, Router, Weights } from './types.js';
