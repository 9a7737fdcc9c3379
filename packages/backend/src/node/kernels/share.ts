import { type KernelConfig, type KernelFunc, type TensorInfo, getKernel, registerKernel, unregisterKernel, util } from '@tensorflow/tfjs-core';
import { BackendError } from '@moe/core';
import { markAsOurs } from '../../ours.js';

type Call = Parameters<KernelFunc>[0];

/** Calls that change nothing; tfjs makes dozens of them in a training step. */
const CHANGE_NOTHING: Readonly<Record<string, (x: TensorInfo, attrs: Call['attrs']) => boolean>> = {
  Cast: ({ dtype }, attrs) => attrs!['dtype'] === dtype,
  Reshape: ({ shape }, attrs) => util.arraysEqual(attrs!['shape'] as number[], shape),
};

/** Lets reshapes to the same shape and casts to the same type return their input once more, as clones do, without calling TensorFlow. */
export function registerSharing(engine: string): void {
  for (const [name, changesNothing] of Object.entries(CHANGE_NOTHING)) {
    const stock = getKernel(name, engine) as KernelConfig | undefined;
    if (stock === undefined) throw new BackendError(`useBackend: the engine '${engine}' must have the kernel ${name}. Load only one copy of '@tensorflow/tfjs-core'; \`npm ls @tensorflow/tfjs-core\` shows them.`);
    unregisterKernel(name, engine);
    const kernelFunc: KernelFunc = (call) => {
      const { dataId, shape, dtype } = call.inputs['x'] as TensorInfo;
      if (!changesNothing({ dataId, shape, dtype }, call.attrs)) return stock.kernelFunc(call);
      (call.backend as { incRef(dataId: object): void }).incRef(dataId);
      return { dataId, shape, dtype };
    };
    registerKernel(markAsOurs({ ...stock, kernelFunc }));
  }
}
