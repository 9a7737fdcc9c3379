import { availableParallelism } from 'node:os';
import util from 'node:util';
import { BackendError } from '@moe/core';
import { findBackend, registerBackend } from '@tensorflow/tfjs-core';
import { type Storage, deferFilterGradients } from '../deferred.js';
import { createBackend } from './backend.js';
import { createBinding } from './binding.js';
import { type ContextOptions, createContext } from './context.js';
import { findTensorflow } from './installation.js';
import { createCompiler } from './jit/compiler.js';
import { registerGradientKernels } from './kernels/gradients.js';
import { registerKernels } from './kernels/register.js';
import { registerSharing } from './kernels/share.js';
import { loadLibrary } from './library.js';
import { shortenWays } from './shorter-ways.js';
import { createStatus } from './status.js';

/** The name by which the kernels of `@tensorflow/tfjs-node-gpu` look for their engine. */
const NAME = 'tensorflow';

/** Functions of `util` that Node 23 dropped and Node 22 warns of; the kernels call them. Node 20 has them, and is left as it is. */
function restoreUtilities(): void {
  if (Number.parseInt(process.versions.node, 10) < 22) return;
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value === undefined || value === null, isArray: Array.isArray });
}

/**
 * Loads TensorFlow and registers it with tfjs under the name `'tensorflow'`, unless that is done already.
 *
 * @param options - threads and GPU, as {@link useBackend} takes them. Read when the engine first starts.
 * @throws {@link BackendError} with the remedy, if the engine or one of its packages is not installed, or does not load.
 */
export async function registerTensorflow(options: ContextOptions = {}): Promise<void> {
  if (findBackend(NAME) !== null) return;
  const installation = findTensorflow();
  if (installation === undefined) {
    throw new BackendError("useBackend: the engine 'tensorflow' is not installed. Run `npx moe-backend install tensorflow`.");
  }
  const library = await loadLibrary(installation.libraries);
  const status = createStatus(library);
  const context = createContext(library, status, options);
  const binding = createBinding(library, status, context);
  restoreUtilities();
  const { NodeJSKernelBackend } = await importKernels();
  registerKernels(NAME);
  registerGradientKernels(NAME, binding.isUsingGpuDevice());
  registerSharing(NAME);
  shortenWays();
  const backend = createBackend(NodeJSKernelBackend as never, binding);
  deferFilterGradients(backend, { engineName: NAME, storageOf: (of) => (of as unknown as { readonly tensorMap: Storage }).tensorMap, memory: ['id'] });
  const compiler = createCompiler(library, status, context, backend, binding.dtypeOf);
  registerBackend(NAME, () => Object.assign(backend, { threads: options.threads ?? availableParallelism(), devices: context.devices, tensorflow: binding.TF_Version, compiler }));
}

/** The engine's class and, with it, all kernels; the main module of their package would look for a native addon. */
async function importKernels(): Promise<typeof import('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js')> {
  try {
    await import('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js');
    return await import('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js');
  } catch (error) {
    throw new BackendError(
      "useBackend: the engine 'tensorflow' needs the package '@tensorflow/tfjs-node-gpu'. Run `npm install koffi @tensorflow/tfjs-node-gpu --ignore-scripts`.",
      { cause: error },
    );
  }
}
