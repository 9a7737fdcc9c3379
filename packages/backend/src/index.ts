export { type BackendDescription, describeBackend } from './describe-backend.js';
export type { EngineName } from './engines.js';
export { type UseBackendOptions, useBackend } from './use-backend.js';
