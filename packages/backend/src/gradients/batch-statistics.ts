import {
  type FusedBatchNormAttrs,
  type KernelConfig,
  type KernelFunc,
  type NamedTensorMap,
  type Tensor,
  engine,
  getKernel,
  registerKernel,
  unregisterKernel,
  util,
} from '@tensorflow/tfjs-core';

/** Attributes of a batch norm, with what {@link watchBatchStatistics} found out. */
export interface BatchNormAttrs extends FusedBatchNormAttrs {
  /** Whether mean and variance are the moments of x itself. Their part of the gradient is then in that of x. */
  ofBatch?: boolean;
}

/** Axes of the means on the tape, by the inputs under which the tape knows them. */
const AXES = new WeakMap<object, readonly number[]>();

/** The step on the tape that made a tensor. Moments are taken just before the batch norm, so that the search is short. */
function maker(of: Tensor | undefined): { readonly kernelName: string; readonly inputs: NamedTensorMap } | undefined {
  return of && engine().state.activeTape?.findLast(({ outputs }) => outputs.some(({ id }) => id === of.id));
}

/** What a tensor was before reshapes and casts, which do not touch the values. */
function origin(of: Tensor | undefined): Tensor | undefined {
  const step = maker(of);
  if (step === undefined || !['Reshape', 'Cast', 'Identity'].includes(step.kernelName)) return of;
  return origin(step.inputs['x']);
}

/** The input of a mean over all axes but the last. */
function averaged(of: Tensor): Tensor | undefined {
  const step = maker(of);
  const x = step?.inputs['x'];
  if (step?.kernelName !== 'Mean' || x === undefined) return undefined;
  const axes = AXES.get(step.inputs);
  return axes?.length === x.rank - 1 && !axes.includes(x.rank - 1) ? x : undefined;
}

/** Whether `mean` and `variance` are `moments(x, all axes but the last)`, as layers write batch norm in training. */
function areMoments(x: Tensor, mean: Tensor, variance: Tensor): boolean {
  const of = averaged(mean);
  const squares = maker(averaged(variance));
  if (of === undefined || squares?.kernelName !== 'Square') return false;
  const difference = maker(squares.inputs['x']);
  if (difference?.kernelName !== 'Sub') return false;
  const source = origin(x)?.id;
  return x.shape.at(-1) === of.shape.at(-1) && origin(of)?.id === source && origin(difference.inputs['a'])?.id === source && origin(difference.inputs['b'])?.id === origin(mean)?.id;
}

/** A tensor with the same values that the tape does not connect with its maker; within a kernel the tape is off. */
const detached = (x: Tensor): Tensor => engine().runKernel('Identity', { x }) as Tensor;

const BEFORE: Readonly<Record<string, (call: Parameters<KernelFunc>[0]) => void>> = {
  Mean: ({ inputs, attrs }) => {
    if (engine().state.gradientDepth > 0) AXES.set(inputs, util.parseAxisParam(attrs!['axis'] as number[], inputs['x']!.shape));
  },
  FusedBatchNorm: ({ inputs, attrs }) => {
    const { x, mean, variance } = inputs as NamedTensorMap as { x: Tensor; mean: Tensor; variance: Tensor };
    const marked = attrs as unknown as BatchNormAttrs;
    marked.ofBatch = engine().state.gradientDepth > 0 && mean.shape.length === 1 && areMoments(x, mean, variance);
    // The tape notes these inputs after the kernel has run: it finds no way through the moments, and spares their gradients.
    if (marked.ofBatch) Object.assign(inputs, { mean: detached(mean), variance: detached(variance) });
  },
};

const WATCHED = Symbol.for('moe.backend.watched');

/**
 * Lets an engine notice batch norm with the statistics of the batch, written as `moments` and `batchNorm`.
 *
 * @remarks
 * Its gradient is then one closed form (Ioffe & Szegedy 2015, Sec. 3) in the place of the gradients of batch norm, two means, a square and a difference. Doing it twice is the same as once.
 */
export function watchBatchStatistics(engineName: string): void {
  for (const [name, before] of Object.entries(BEFORE)) {
    const kernel = getKernel(name, engineName) as (KernelConfig & { [WATCHED]?: true }) | undefined;
    if (kernel === undefined || kernel[WATCHED]) continue;
    unregisterKernel(name, engineName);
    const kernelFunc: KernelFunc = (call) => {
      before(call);
      return kernel.kernelFunc(call);
    };
    registerKernel({ ...kernel, kernelFunc, [WATCHED]: true } as KernelConfig);
  }
}
