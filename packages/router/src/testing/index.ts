export { type RouterTraits, describeRouter } from './describe-router.js';
