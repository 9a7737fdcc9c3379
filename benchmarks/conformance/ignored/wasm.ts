import type { Ignored } from './ignored.js';

export const IGNORED_ON_WASM: readonly Ignored[] = [
  {
    reason: 'Expects the image itself, as the engines written in JavaScript return it when the sizes agree; with a padding of 1 and a stride of 2, all windows but one lie in the padding.',
    specs: ['pool max x=[2,2,3] f=[1,1] s=2 p=1 fractional outputs default rounding', 'pool avg x=[2,2,3] f=[1,1] s=2 p=1 fractional outputs default rounding'],
  },
];
