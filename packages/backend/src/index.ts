export { type BackendDescription, type KernelSource, describeBackend, describeKernels } from './describe-backend.js';
export type { EngineName } from './engines.js';
export { type BackendChoice, type UseBackendOptions, useBackend } from './use-backend.js';
