export { type Cifar100Options, type Cifar10Options, cifar10, cifar100 } from './cifar.js';
export { type FashionMnistOptions, fashionMnist } from './fashion-mnist.js';
export type { DecodedImage, ImageDecoder, ImageSize } from './image-decoder.js';
export { type ImageFolderOptions, imageFolder } from './image-folder.js';
export { type SharpDecoderOptions, type SharpImage, type SharpModule, sharpDecoder } from './sharp-decoder.js';
