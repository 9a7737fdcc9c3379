import './matchers.js';

export { ENGINE } from './engine.js';
export { expectGradient } from './gradients.js';
export { expectTensorsKept } from './leaks.js';
