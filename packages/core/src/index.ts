export { gatherRows, scatterAddRows } from './autodiff/rows.js';
export { stopGradient } from './autodiff/stop-gradient.js';
export { straightThrough } from './autodiff/straight-through.js';
export { topKIndices, topKMask } from './autodiff/top-k-mask.js';
export {
  type BoundSizes,
  expectArgument,
  expectInteger,
  expectKnownKeys,
  expectLabels,
  expectNumber,
  expectOneOf,
  expectShape,
  throwIfAborted,
} from './checks.js';
export type { Attack, AttackAccess, AttackContext, Norm, Perturbation } from './contracts/attack.js';
export type { Bound, BoundDomain, BoundStatus, OperatorNorm, SoundBound } from './contracts/bound.js';
export type { Compile } from './contracts/compile.js';
export type { Batch, Dataset } from './contracts/dataset.js';
export type { Bounds, Draw, ExpertMask, ForwardOptions, ForwardResult, GateGradient, LogitsFn, MoeLayerInfo, MoeLogitsFn, MoeModel, Routing } from './contracts/model.js';
export type { Weight } from './contracts/weights.js';
export {
  AbortedError,
  ArgumentError,
  BackendError,
  CheckpointError,
  DataFormatError,
  FileError,
  MoeError,
  type MoeErrorCode,
  NumericsError,
  ShapeError,
  isMoeError,
} from './errors.js';
export { type Rng, type RngState, createRng, restoreRng } from './rng/rng.js';
export { type Interval, wilsonInterval } from './statistics/wilson-interval.js';
