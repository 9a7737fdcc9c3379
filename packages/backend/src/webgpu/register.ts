import { type KernelBackend, findBackend, findBackendFactory, registerBackend, removeBackend } from '@tensorflow/tfjs-core';
import { BackendError } from '@moe/core';
import { type Adapter, type Gpu, describeAdapter, findGpu, requestAdapter } from './gpu.js';
import { refuseSynchronousReads } from './synchronous-reads.js';

const NAME = 'webgpu';

/** Limits whose defaults in WebGPU are far below what GPUs have, and which large tensors need. */
const LIMITS = [
  'maxBufferSize', 'maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupSizeX', 'maxComputeWorkgroupStorageSize', 'maxComputeWorkgroupsPerDimension', 'maxStorageBufferBindingSize',
];

/** For `tf.time` and for drawing on a canvas. */
const FEATURES = ['timestamp-query', 'bgra8unorm-storage'];

function openDevice(adapter: Adapter): Promise<unknown> {
  const requiredFeatures = FEATURES.filter((name) => adapter.features.has(name));
  return adapter.requestDevice({ requiredFeatures, requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])) });
}

/** Runs the constructor of tfjs' engine, which refuses where no `navigator.gpu` is. In Node it is there for that moment only, so that nothing takes Node for a browser. */
function whereGpuIs<T>(gpu: Gpu, construct: () => T): T {
  const { navigator } = globalThis as { navigator?: { gpu?: Gpu } };
  if (navigator?.gpu !== undefined) return construct();
  const [owner, key, value] = navigator === undefined ? [globalThis, 'navigator', { gpu }] : [navigator, 'gpu', gpu];
  Object.defineProperty(owner, key, { value, configurable: true });
  try {
    return construct();
  } finally {
    Reflect.deleteProperty(owner, key);
  }
}

/**
 * Opens a GPU and registers tfjs' engine `'webgpu'` on it, unless that is done already.
 *
 * @throws {@link BackendError} with the remedy, if a package is not installed or no GPU is found.
 */
export async function registerWebgpu(): Promise<void> {
  if (findBackend(NAME) !== null) return;
  const { WebGPUBackend } = await importEngine();
  const gpu = await findGpu();
  const adapter = await requestAdapter(gpu);
  const device = await openDevice(adapter);
  const backend = whereGpuIs(gpu, () => new WebGPUBackend(device as never, adapter.info as never));
  refuseSynchronousReads(backend);
  // tfjs' own registers itself in browsers; it tells of nothing and fails without a word where there is no GPU.
  if (findBackendFactory(NAME) !== null) removeBackend(NAME);
  // Dawn crashes once its GPU object is collected, so the engine holds it.
  registerBackend(NAME, () => Object.assign(backend as KernelBackend, { adapter: describeAdapter(adapter), gpu }));
}

async function importEngine(): Promise<typeof import('@tensorflow/tfjs-backend-webgpu')> {
  try {
    return await import('@tensorflow/tfjs-backend-webgpu');
  } catch (error) {
    throw new BackendError("useBackend: the engine 'webgpu' needs the package '@tensorflow/tfjs-backend-webgpu'. Run `npm install @tensorflow/tfjs-backend-webgpu`.", { cause: error });
  }
}
