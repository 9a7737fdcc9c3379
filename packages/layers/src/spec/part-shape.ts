import { convolvedSize } from '../ops/convolution.js';
import type { LayerPart, RowShape } from './parts.js';

/** What decides the shape of an output: a layer without its router. */
export type ShapedPart = LayerPart extends infer Part ? (Part extends { readonly router: unknown } ? Omit<Part, 'router' | 'slots'> : Part) : never;

/** Shape of one row after a layer. */
export function partOutputShape(part: ShapedPart, inputShape: RowShape): RowShape {
  const [height = 1, width = 1, channels = 1] = inputShape;
  const convolved = (stride: number, filters: number): RowShape => [convolvedSize(height, stride), convolvedSize(width, stride), filters];
  switch (part.kind) {
    case 'conv':
    case 'convMoe':
    case 'patchMoe':
      return convolved(part.conv.stride, part.conv.filters);
    case 'blockMoe':
      return convolved(part.block.stride, part.block.filters);
    case 'stageMoe': {
      const stride = part.blocks.reduce((product, block) => product * block.stride, 1);
      return convolved(stride, part.blocks.at(-1)!.filters);
    }
    case 'zeroPad': {
      const [vertical, horizontal] = part.padding;
      return [height + vertical[0] + vertical[1], width + horizontal[0] + horizontal[1], channels];
    }
    case 'maxPool': {
      const pooled = (size: number): number => Math.floor((size - part.poolSize) / part.stride) + 1;
      return [pooled(height), pooled(width), channels];
    }
    case 'globalAveragePool':
      return [channels];
    case 'gateFeatures':
      return [part.features];
    case 'linear':
    case 'linearMoe':
      return [part.units];
    case 'flatten':
      return [inputShape.reduce((product, size) => product * size, 1)];
    case 'patches':
      return [Math.floor(height / part.patch) * Math.floor(width / part.patch), part.width];
    case 'tokens':
      return [height + Number(part.classToken), width];
    case 'pool':
    case 'attentionPool':
      return [width];
    case 'layerNorm':
    case 'attention':
    case 'feedForward':
    case 'denseMoe':
    case 'dropout':
      return inputShape;
    case 'normalize':
    case 'batchNorm':
    case 'relu':
    case 'add':
      return inputShape;
  }
}
