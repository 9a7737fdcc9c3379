import {
  type KernelConfig,
  type KernelFunc,
  type NamedTensorInfoMap,
  type TensorInfo,
  backend_util,
  getKernel,
  registerKernel,
  tensor1d,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import { BackendError } from '@moe/core';
import type { Attribute } from '../attributes.js';
import { TYPES } from '../types.js';

type Window = backend_util.Conv2DInfo;
type Shape4D = [number, number, number, number];
type Pair = [number, number];

/** The attributes that convolutions and pooling share, as tfjs gives them to a kernel. */
interface WindowAttributes {
  readonly strides: number | Pair;
  readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dilations?: number | Pair;
  readonly inputShape: Shape4D;
  readonly filterShape: Shape4D;
  readonly filterSize: number | Pair;
}

interface Executor {
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly TensorInfo[]): TensorInfo;
}

/** How TensorFlow wants one of tfjs' kernels with padding in numbers. */
interface WindowKernel {
  readonly window: (inputs: NamedTensorInfoMap, attributes: WindowAttributes) => Window;
  /** Inputs in TensorFlow's order; an array is a shape, which is passed as a tensor. */
  readonly inputs: (inputs: NamedTensorInfoMap, attributes: WindowAttributes) => readonly (TensorInfo | number[])[];
  readonly pools: boolean;
}

const convolution = (input: number[], filter: number[], { strides, dilations = 1, pad, dimRoundingMode, dataFormat = 'NHWC' }: WindowAttributes): Window =>
  backend_util.computeConv2DInfo(input as Shape4D, filter as Shape4D, strides, dilations, pad, dimRoundingMode, false, backend_util.convertConv2DDataFormat(dataFormat));

const pooling = (input: number[], { filterSize, strides, pad, dimRoundingMode }: WindowAttributes): Window =>
  backend_util.computePool2DInfo(input as Shape4D, filterSize, strides, 1, pad, dimRoundingMode);

const KERNELS: Readonly<Record<string, WindowKernel>> = {
  Conv2D: { window: ({ x, filter }, a) => convolution(x!.shape, filter!.shape, a), inputs: ({ x, filter }) => [x!, filter!], pools: false },
  Conv2DBackpropInput: { window: ({ filter }, a) => convolution(a.inputShape, filter!.shape, a), inputs: ({ dy, filter }, a) => [a.inputShape, filter!, dy!], pools: false },
  Conv2DBackpropFilter: { window: ({ x }, a) => convolution(x!.shape, a.filterShape, a), inputs: ({ x, dy }, a) => [x!, a.filterShape, dy!], pools: false },
  MaxPool: { window: ({ x }, a) => pooling(x!.shape, a), inputs: ({ x }) => [x!], pools: true },
  MaxPoolGrad: { window: ({ input }, a) => pooling(input!.shape, a), inputs: ({ dy, input, output }) => [input!, output!, dy!], pools: true },
};

function attributesOf(window: Window, dtype: string, pools: boolean): Attribute[] {
  const { padInfo, strideHeight, strideWidth, dilationHeight, dilationWidth } = window;
  // A size rounded up reaches beyond the padding that was asked for.
  const bottom = Math.max(padInfo.bottom, (window.outHeight - 1) * strideHeight + window.effectiveFilterHeight - window.inHeight - padInfo.top);
  const right = Math.max(padInfo.right, (window.outWidth - 1) * strideWidth + window.effectiveFilterWidth - window.inWidth - padInfo.left);
  const spatial = [padInfo.top, bottom, padInfo.left, right];
  const last = window.dataFormat === 'channelsLast';
  const axes = (h: number, w: number) => (last ? [1, h, w, 1] : [1, 1, h, w]);
  const int = (name: string, value: number[]): Attribute => ({ name, type: TYPES.TF_ATTR_INT, value });
  return [
    { name: 'T', type: TYPES.TF_ATTR_TYPE, value: dtype === 'int32' ? TYPES.TF_INT32 : TYPES.TF_FLOAT },
    int('strides', axes(strideHeight, strideWidth)),
    { name: 'padding', type: TYPES.TF_ATTR_STRING, value: 'EXPLICIT' },
    int('explicit_paddings', last ? [0, 0, ...spatial, 0, 0] : [0, 0, 0, 0, ...spatial]),
    { name: 'data_format', type: TYPES.TF_ATTR_STRING, value: last ? 'NHWC' : 'NCHW' },
    pools ? int('ksize', axes(window.filterHeight, window.filterWidth)) : int('dilations', axes(dilationHeight, dilationWidth)),
  ];
}

function padded(name: string, { window, inputs, pools }: WindowKernel, stock: KernelFunc): KernelFunc {
  return (args) => {
    const attributes = args.attrs as unknown as WindowAttributes;
    if (typeof attributes.pad === 'string') return stock(args);
    const shapes: TensorInfo[] = [];
    const operands = inputs(args.inputs, attributes).map((operand) => {
      if (!Array.isArray(operand)) return operand;
      const shape = tensor1d(operand, 'int32');
      shapes.push(shape);
      return shape;
    });
    try {
      return (args.backend as Executor).executeSingleOutput(name, attributesOf(window(args.inputs, attributes), operands.at(-1)!.dtype, pools), operands);
    } finally {
      for (const shape of shapes) (shape as ReturnType<typeof tensor1d>).dispose();
    }
  };
}

/** Lets convolutions, maximum pooling and their gradients take padding in numbers, as PyTorch's layers do; the stock kernels know `'same'` and `'valid'` alone. */
export function registerExplicitPadding(engine: string): void {
  for (const [name, kernel] of Object.entries(KERNELS)) {
    const stock = getKernel(name, engine) as KernelConfig | undefined;
    if (stock === undefined) throw new BackendError(`useBackend: the engine '${engine}' must have the kernel ${name}. Load only one copy of '@tensorflow/tfjs-core'; \`npm ls @tensorflow/tfjs-core\` shows them.`);
    unregisterKernel(name, engine);
    registerKernel({ ...stock, kernelFunc: padded(name, kernel, stock.kernelFunc) });
  }
}
