export { expectGradient } from './gradients.js';
export { expectTensorsKept } from './leaks.js';
export { ENGINE } from './setup.js';
