export { type BackendDescription, type KernelSource, describeBackend, describeKernels } from './describe-backend.js';
export type { EngineName } from './engines.js';
export type { FrozenConstant, Precision } from './jit/compiler.js';
export { type Jit, type JitOptions, jit } from './jit/jit.js';
export { type BackendChoice, type UseBackendOptions, useBackend } from './use-backend.js';
export type { GpuAdapter } from './webgpu/gpu.js';
