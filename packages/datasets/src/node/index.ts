export { type FashionMnistOptions, fashionMnist } from './fashion-mnist.js';
