// Shapes: N rows, images [N,4,4,C]; tokens [N,D] with H hidden units.
import { createRng } from '@moe/core';
import { type GateNetwork, convGap, gapFc } from '@moe/router';
import { type Tensor, type Tensor2D, type Tensor4D, add, conv2d, matMul, mul, relu, tensor, tidy } from '@tensorflow/tfjs-core';

/** A kind of expert, with the rows that it runs on. */
export interface Subject {
  readonly name: string;
  readonly gate: GateNetwork;
  readonly rowShape: readonly number[];
  readonly numRows: number;
  /** Weights of one expert. */
  init(expert: number): Tensor[];
  run(weights: readonly Tensor[], rows: Tensor): Tensor;
}

interface Values {
  readonly values: Float32Array;
  readonly shape: number[];
}

function normal(shape: number[], std: number, stream: string): Values {
  const size = shape.reduce((product, side) => product * side, 1);
  return { values: createRng(1).stream(stream).normal(size, 0, std), shape };
}

/** Experts that differ by a factor alone: to draw the weights of 64 would take longer than to measure them. */
const expertsOf =
  (first: readonly Values[]) =>
  (expert: number): Tensor[] =>
    first.map(({ values, shape }) => tidy(() => mul(tensor(values, shape), 1 + expert / 100)));

export const rowsOf = ({ numRows, rowShape }: Subject): Tensor => {
  const { values, shape } = normal([numRows, ...rowShape], 1, 'rows');
  return tensor(values, shape);
};

/** 3x3 convolution, bias and ReLU on 4x4 images. `'conv-gap'` is a gate that has itself a convolution with one output channel an expert. */
export function convSubject(numRows: number, channels: number, gate: 'gap-fc' | 'conv-gap' = 'gap-fc'): Subject {
  return {
    name: gate === 'gap-fc' ? 'moe-conv' : 'moe-conv/conv-gap',
    gate: gate === 'gap-fc' ? gapFc() : convGap({ kernel: 3 }),
    rowShape: [4, 4, channels],
    numRows,
    init: expertsOf([normal([3, 3, channels, channels], Math.sqrt(2 / (9 * channels)), 'filter'), normal([channels], 0.1, 'bias')]),
    run: ([filter, bias], rows) => relu(add(conv2d(rows as Tensor4D, filter as Tensor4D, 1, 'same'), bias!)),
  };
}

/** Feed-forward network of a transformer on tokens. */
export function denseSubject(numRows: number, width: number, hidden: number): Subject {
  return {
    name: 'moe-dense',
    gate: gapFc(),
    rowShape: [width],
    numRows,
    init: expertsOf([normal([width, hidden], Math.sqrt(2 / width), 'in'), normal([hidden, width], Math.sqrt(1 / hidden), 'out')]),
    run: ([up, down], rows) => matMul(relu(matMul(rows as Tensor2D, up as Tensor2D)), down as Tensor2D),
  };
}
