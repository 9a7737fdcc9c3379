// A narrow ResNet in plain tfjs operations, so that the benchmark depends on the engine alone. Shapes: B batch, images [B,28,28,1].
import {
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  type Variable,
  add,
  conv2d,
  dispose,
  logSoftmax,
  matMul,
  mean,
  moments,
  mul,
  neg,
  oneHot,
  randomNormal,
  relu,
  rsqrt,
  sub,
  sum,
  tidy,
  train,
  variable,
  variableGrads,
  zeros,
} from '@tensorflow/tfjs-core';

export interface QuickModel {
  readonly weights: readonly Variable[];
  loss(images: Tensor4D, labels: Tensor1D): Scalar;
  dispose(): void;
}

/** One residual block of two 3x3 convolutions for each entry of `widths`; all but the first halve the image. */
export function quickModel(widths: readonly number[], classes = 10): QuickModel {
  const weights: Variable[] = [];
  let seed = 1;
  const weight = (...shape: number[]): Variable => {
    const fanIn = shape.slice(0, -1).reduce((product, side) => product * side, 1);
    const made = variable(randomNormal(shape, 0, Math.sqrt(2 / fanIn), 'float32', seed++));
    weights.push(made);
    return made;
  };
  const constant = (value: number, size: number): Variable => {
    const made = variable(add(zeros([size]), value));
    weights.push(made);
    return made;
  };
  const normalise = (size: number) => {
    const gamma = constant(1, size);
    const beta = constant(0, size);
    return (x: Tensor4D): Tensor4D => {
      const { mean: centre, variance } = moments(x, [0, 1, 2]);
      return add(mul(mul(sub(x, centre), rsqrt(add(variance, 1e-5))), gamma), beta);
    };
  };
  const convolution = (kernel: number, from: number, to: number, stride: number) => {
    const filter = weight(kernel, kernel, from, to) as unknown as Tensor4D;
    return (x: Tensor4D): Tensor4D => conv2d(x, filter, stride, 'same');
  };
  const stem = convolution(3, 1, widths[0]!, 1);
  const stemNorm = normalise(widths[0]!);
  const blocks = widths.map((to, i) => {
    const from = widths[Math.max(0, i - 1)]!;
    const stride = i === 0 ? 1 : 2;
    const first = convolution(3, from, to, stride);
    const firstNorm = normalise(to);
    const second = convolution(3, to, to, 1);
    const secondNorm = normalise(to);
    const shortcut = i === 0 ? undefined : convolution(1, from, to, stride);
    return (x: Tensor4D): Tensor4D => relu(add(secondNorm(second(relu(firstNorm(first(x))))), shortcut === undefined ? x : shortcut(x)));
  });
  const head = weight(widths.at(-1)!, classes) as unknown as Tensor2D;
  return {
    weights,
    loss: (images, labels) => {
      const features = blocks.reduce((x, block) => block(x), relu(stemNorm(stem(images))));
      const logits = matMul(mean(features, [1, 2]) as Tensor2D, head);
      return neg(mean(sum(mul(logSoftmax(logits), oneHot(labels, classes)), 1))) as Scalar;
    },
    dispose: () => dispose(weights as unknown as Tensor[]),
  };
}

/** One step of stochastic gradient descent on every weight. */
export function trainStep({ weights, loss }: QuickModel, images: Tensor4D, labels: Tensor1D): void {
  const optimizer = train.sgd(1e-3);
  tidy(() => {
    const { grads } = variableGrads(() => loss(images, labels), [...weights]);
    optimizer.applyGradients(grads);
  });
  optimizer.dispose();
}
