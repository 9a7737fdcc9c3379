// Shapes: H W pixels, C channels.
import { type SymbolicTensor, type LayersModel, input, layers, model } from '@tensorflow/tfjs-layers';

function normalized(x: SymbolicTensor, name: string): SymbolicTensor {
  return layers.batchNormalization({ name, epsilon: 1e-5 }).apply(x) as SymbolicTensor;
}

function convolved(x: SymbolicTensor, name: string, filters: number, kernelSize: number, strides: number): SymbolicTensor {
  return layers.conv2d({ name, filters, kernelSize, strides, padding: 'same', useBias: false }).apply(x) as SymbolicTensor;
}

const rectified = (x: SymbolicTensor): SymbolicTensor => layers.activation({ activation: 'relu' }).apply(x) as SymbolicTensor;

function block(x: SymbolicTensor, path: string, filters: number, strides: number): SymbolicTensor {
  const first = rectified(normalized(convolved(x, `${path}.conv1`, filters, 3, strides), `${path}.bn1`));
  const second = normalized(convolved(first, `${path}.conv2`, filters, 3, 1), `${path}.bn2`);
  const plain = strides === 1 && x.shape[3] === filters;
  const skip = plain ? x : normalized(convolved(x, `${path}.downsample.0`, filters, 1, strides), `${path}.downsample.1`);
  return rectified(layers.add().apply([second, skip]) as SymbolicTensor);
}

/** ResNet-18 for images `[32,32,3]` as anybody writes it with the layers of tfjs; its strided convolutions pad as `'same'` does. */
export function stockResnet(classes: number): LayersModel {
  const image = input({ shape: [32, 32, 3] });
  let x = rectified(normalized(convolved(image, 'conv1', 64, 3, 1), 'bn1'));
  for (let stage = 0; stage < 4; stage++) {
    for (let i = 0; i < 2; i++) x = block(x, `layer${stage + 1}.${i}`, 64 * 2 ** stage, stage > 0 && i === 0 ? 2 : 1);
  }
  const pooled = layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }).apply(x) as SymbolicTensor;
  return model({ inputs: image, outputs: layers.dense({ name: 'fc', units: classes }).apply(pooled) as SymbolicTensor });
}
