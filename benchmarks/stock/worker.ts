// One side of `pnpm bench stock`: with the argument 'ours' the engine as this package makes it, with 'stock' the same library under tfjs' own kernels and gradients alone.
import { useBackend } from '@moe/backend';
import { describeTensorflow, registerTensorflow } from '@moe/backend/node';
import { createRng } from '@moe/core';
import {
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  Reduction,
  dispose,
  enableProdMode,
  getKernelsForBackend,
  grad,
  losses,
  oneHot,
  registerKernel,
  setBackend,
  tensor,
  tensor1d,
  tidy,
  train,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { serve, timed } from '../side.js';
import { stockResnet } from './resnet.js';

const ENGINE = 'tensorflow';
const CLASSES = 10;
const BATCH = 64;

/** The library with the kernels that `@tensorflow/tfjs-node-gpu` registers and the gradients that tfjs does. */
async function useStock(threads: number): Promise<void> {
  await import('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js');
  const stock = [...getKernelsForBackend(ENGINE)];
  await registerTensorflow({ threads });
  for (const { kernelName } of getKernelsForBackend(ENGINE)) unregisterKernel(kernelName, ENGINE);
  stock.forEach(registerKernel);
  await setBackend(ENGINE);
}

/** The same filters on both sides; the other weights begin with constants. */
function drawFilters(network: LayersModel): void {
  tidy(() => {
    const rng = createRng(1);
    const draw = (old: Tensor, i: number): Tensor => {
      const fanIn = old.size / old.shape.at(-1)!;
      return old.rank < 2 ? old : tensor(rng.at(i).normal(old.size, 0, Math.sqrt(2 / fanIn)), old.shape);
    };
    network.setWeights(network.getWeights().map(draw));
  });
}

function createTasks(network: LayersModel) {
  const x = tensor(createRng(3).uniform(BATCH * 32 * 32 * 3), [BATCH, 32, 32, 3]);
  const truth = tidy(() => oneHot(tensor1d(createRng(4).integers(BATCH, CLASSES), 'int32'), CLASSES, 1, 0, 'float32'));
  const rowLoss = (t: Tensor): Tensor1D => losses.softmaxCrossEntropy(truth, network.apply(t) as Tensor2D, undefined, 0, Reduction.NONE);
  network.compile({ optimizer: train.momentum(1e-3, 0.9), loss: (target, logits) => losses.softmaxCrossEntropy(target, logits) });
  return {
    forward: () => dispose(network.predictOnBatch(x)),
    'input-gradient': () => grad(rowLoss)(x).dispose(),
    'train-step': () => network.trainOnBatch(x, truth) as Promise<number>,
    /** What both sides must agree on: logits, and the losses of two training steps. */
    async check() {
      const logits = tidy(() => Array.from((network.predictOnBatch(x) as Tensor).dataSync()));
      return { values: [...logits, await this['train-step'](), await this['train-step']()] };
    },
  };
}

type Message = { do: 'prepare'; threads: number } | { do: 'check' } | { do: 'run'; task: 'forward' | 'input-gradient' | 'train-step' } | { do: 'peak' };

let tasks: ReturnType<typeof createTasks> | undefined;

async function answer(message: Message): Promise<object> {
  if (message.do === 'prepare') {
    await (process.argv[2] === 'stock' ? useStock(message.threads) : useBackend(ENGINE, { threads: message.threads }));
    const network = stockResnet(CLASSES);
    drawFilters(network);
    tasks = createTasks(network);
    return { versions: `TensorFlow ${(await describeTensorflow()).version}, Node ${process.versions.node}` };
  }
  if (message.do === 'peak') return { mebibytes: process.resourceUsage().maxRSS / 1024 };
  if (tasks === undefined) throw new Error('prepare comes first.');
  return message.do === 'check' ? tasks.check() : timed(tasks[message.task]);
}

enableProdMode();
await serve(answer);
