// Shapes: B batch, D features, P pixels times channels.
import { createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, eye, grad, io, mul, reshape, square, sub, sum, tensor, tensor1d, tensor2d, tidy, train, zerosLike } from '@tensorflow/tfjs-core';
import { type LayersModel, type layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { afterEach, describe, expect, it } from 'vitest';
import { AolConv2D } from './aol-conv.js';
import { AolDense } from './aol-dense.js';
import { BjorckDense } from './bjorck-dense.js';
import { CayleyConv2D } from './cayley-conv.js';
import { CayleyDense } from './cayley-dense.js';
import { GroupSort, sortGroups } from './group-sort.js';
import { aolKernel, bjorckKernel, cayleyKernel, sllFactors } from './kernels.js';
import { lipschitzMlp } from './lipschitz-mlp.js';
import { registerLipschitzLayers } from './register.js';
import { SllConv2D } from './sll-conv.js';
import { SllDense } from './sll-dense.js';

const models: LayersModel[] = [];
const kept = <M extends LayersModel>(model: M): M => {
  models.push(model);
  return model;
};
afterEach(() => models.splice(0).forEach((model) => model.dispose()));

const normal = (seed: number, shape: number[], std = 1): Tensor => tensor(createRng(seed).normal(shape.reduce((a, b) => a * b, 1), 0, std), shape);
const alone = (layer: layers.Layer): LayersModel => kept(sequential({ layers: [layer] }));
const apply = (model: LayersModel, x: Tensor): Tensor => model.apply(x) as Tensor;

function singularValues(matrix: Tensor2D): number[] {
  const [rows, columns] = matrix.shape;
  return new SingularValueDecomposition(Matrix.from1DArray(rows, columns, Array.from(matrix.dataSync())), { autoTranspose: true }).diagonal;
}

/** The matrix of an affine model, inputs by outputs. */
function matrixOf(model: LayersModel): Tensor2D {
  return tidy(() => {
    const shape = model.inputs[0]!.shape.slice(1) as number[];
    const size = shape.reduce((a, b) => a * b, 1);
    const units = reshape(eye(size), [size, ...shape]);
    return reshape(sub(apply(model, units), apply(model, zerosLike(units))), [size, -1]);
  });
}

const spectrum = (model: LayersModel): number[] => {
  const matrix = matrixOf(model);
  try {
    return singularValues(matrix);
  } finally {
    matrix.dispose();
  }
};

/** Layers with weights, by what they are made of; `orthogonal` ones have singular values of 1 only. */
const LINEAR: readonly { name: string; make: (seed: number) => layers.Layer; orthogonal?: boolean }[] = [
  { name: 'AolDense to fewer', make: (seed) => new AolDense({ units: 3, inputShape: [7], seed }) },
  { name: 'AolDense to more', make: (seed) => new AolDense({ units: 7, inputShape: [3], seed }) },
  { name: 'BjorckDense', make: (seed) => new BjorckDense({ units: 5, inputShape: [5], seed }) },
  { name: 'CayleyDense', make: (seed) => new CayleyDense({ units: 6, inputShape: [6], seed }), orthogonal: true },
  { name: 'CayleyDense to fewer', make: (seed) => new CayleyDense({ units: 3, inputShape: [8], seed }), orthogonal: true },
  { name: 'CayleyDense to more', make: (seed) => new CayleyDense({ units: 8, inputShape: [3], seed }), orthogonal: true },
  { name: 'AolConv2D', make: (seed) => new AolConv2D({ filters: 2, kernelSize: 3, inputShape: [5, 4, 3], seed }) },
  { name: 'AolConv2D to more', make: (seed) => new AolConv2D({ filters: 4, kernelSize: 3, padding: 'valid', inputShape: [5, 4, 1], seed }) },
  { name: 'AolConv2D, stride 2', make: (seed) => new AolConv2D({ filters: 3, kernelSize: 3, strides: 2, inputShape: [5, 6, 1], seed }) },
  { name: 'AolConv2D to more, stride 2', make: (seed) => new AolConv2D({ filters: 9, kernelSize: 3, strides: 2, inputShape: [5, 6, 2], seed }) },
  { name: 'AolConv2D, stride above the kernel', make: (seed) => new AolConv2D({ filters: 6, kernelSize: 2, strides: 3, inputShape: [6, 6, 1], seed }) },
  { name: 'CayleyConv2D', make: (seed) => new CayleyConv2D({ filters: 2, kernelSize: 3, inputShape: [4, 3, 2], seed }), orthogonal: true },
  { name: 'CayleyConv2D to fewer', make: (seed) => new CayleyConv2D({ filters: 1, kernelSize: 2, inputShape: [3, 4, 3], seed }), orthogonal: true },
];

const CURVED: readonly { name: string; make: (seed: number) => layers.Layer }[] = [
  { name: 'SllDense', make: (seed) => new SllDense({ hidden: 4, inputShape: [5], seed }) },
  { name: 'SllConv2D', make: (seed) => new SllConv2D({ hidden: 3, kernelSize: 3, inputShape: [4, 5, 2], seed }) },
  { name: 'GroupSort', make: () => new GroupSort({ groupSize: 3, inputShape: [6] }) },
];

const lengths = (x: Tensor): number[] => tidy(() => Array.from(sum(square(reshape(x, [x.shape[0]!, -1])), 1).dataSync(), Math.sqrt));
/** Largest quotient of what pairs of nearby and of far inputs are apart behind and before a model. */
function steepest(model: LayersModel, seed: number): number {
  return Math.max(
    ...[0.01, 1].map((step) =>
      tidy(() => {
        const x = normal(seed, [40, ...(model.inputs[0]!.shape.slice(1) as number[])]);
        const away = mul(normal(seed + 1, x.shape), step);
        const [before, behind] = [lengths(away), lengths(sub(apply(model, sub(x, away)), apply(model, x)))];
        return Math.max(...behind.map((length, i) => length / before[i]!));
      }),
    ),
  );
}

describe('1-Lipschitz layers by hand', () => {
  it('AOL: columns over the roots of the row sums [3, 7] of their Gram matrix', () => {
    tidy(() => {
      const [a, b] = [1 / Math.sqrt(3), 1 / Math.sqrt(7)];
      expect(aolKernel(tensor2d([[1, 2], [0, 1]]), [1, 1])).toBeAllClose([a, 2 * b, 0, b]);
    });
  });

  it('AOL convolution: ones of 2×2 become means, with stride 2 halves', () => {
    tidy(() => {
      const ones = tensor([1, 1, 1, 1], [2, 2, 1, 1]);
      expect(aolKernel(ones, [1, 1])).toBeAllClose([0.25, 0.25, 0.25, 0.25]);
      expect(aolKernel(ones, [2, 2])).toBeAllClose([0.5, 0.5, 0.5, 0.5]);
    });
  });

  it('Cayley: a quarter turn, and a column of length 1', () => {
    tidy(() => {
      expect(cayleyKernel(tensor2d([[0, 1], [0, 0]]))).toBeAllClose([0, -1, 1, 0]);
      expect(cayleyKernel(tensor2d([[3], [0.5]]))).toBeAllClose([0.6, -0.8]);
    });
  });

  it('Björck: a step turns singular values s of the AOL kernel into 1.5 s − 0.5 s³', () => {
    tidy(() => {
      const kernel = normal(1, [4, 3]) as Tensor2D;
      const before = singularValues(aolKernel(kernel, [1, 1]));
      expect(singularValues(bjorckKernel(kernel, 1))).toBeAllClose(before.map((s) => 1.5 * s - 0.5 * s ** 3));
      expect(singularValues(bjorckKernel(kernel, 15))).toBeAllClose([1, 1, 1]);
    });
  });

  it('SLL: of one number with weight 2 and no bias, minus its magnitude', () => {
    const model = alone(new SllDense({ inputShape: [1], seed: 1 }));
    tidy(() => {
      model.setWeights([tensor2d([[2]]), tensor1d([0]), tensor1d([0.7])]);
      expect(apply(model, tensor2d([[3], [-4]]))).toBeAllClose([-3, -4]);
    });
  });

  it('GroupSort: the largest first, and a derivative that only permutes, at ties too', () => {
    tidy(() => {
      expect(sortGroups(tensor2d([[1, 3, 2, 0]]), 2)).toBeAllClose([3, 1, 2, 0]);
      expect(sortGroups(tensor2d([[1, 3, 2, 0]]), 4)).toBeAllClose([3, 2, 1, 0]);
      const weighted = (x: Tensor): Scalar => sum(mul(sortGroups(x, 4), tensor1d([1, 2, 3, 4])));
      expect(grad(weighted)(tensor2d([[1, 3, 2, 0]]))).toBeAllClose([3, 1, 2, 4]);
      const tied = Array.from(grad(weighted)(tensor2d([[5, 5, 5, 5]])).dataSync());
      expect(tied.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
    });
  });

  it('a Cayley convolution of one tap is a Cayley dense layer at every pixel', () => {
    const [conv, dense] = [alone(new CayleyConv2D({ filters: 3, kernelSize: 1, inputShape: [3, 2, 2], seed: 1 })), alone(new CayleyDense({ units: 3, inputShape: [2], seed: 1 }))];
    tidy(() => {
      const kernel = normal(3, [2, 3]);
      conv.setWeights([reshape(kernel, [1, 1, 2, 3]), tensor1d([0, 0, 1])]);
      dense.setWeights([kernel, tensor1d([0, 0, 1])]);
      const x = normal(4, [2, 3, 2, 2]);
      expect(apply(conv, x)).toBeAllClose(apply(dense, reshape(x, [12, 2])), { atol: 1e-5 });
    });
  });
});

describe.each(LINEAR)('$name', ({ make, orthogonal = false }) => {
  it('has no singular value above 1', () => {
    for (const seed of [1, 2]) {
      const values = spectrum(alone(make(seed)));
      expect(Math.max(...values)).toBeLessThanOrEqual(1 + 2e-6);
      // Not by being small.
      expect(Math.max(...values)).toBeGreaterThan(orthogonal ? 1 - 2e-6 : 0.5);
      if (orthogonal) expect(Math.min(...values)).toBeGreaterThan(1 - 2e-6);
    }
  });
});

describe.each(CURVED)('$name', ({ make }) => {
  it('takes no two inputs further apart', () => {
    for (const seed of [1, 2]) {
      const quotient = steepest(alone(make(seed)), seed);
      expect(quotient).toBeLessThanOrEqual(1 + 1e-4);
      expect(quotient).toBeGreaterThan(0.7);
    }
  });
});

describe.each([...LINEAR, ...CURVED])('$name as a tfjs layer', ({ make }) => {
  it('saves and loads with the same outputs, keeps no tensor, and has the gradients of central differences', async () => {
    const model = alone(make(3));
    const x = normal(5, [2, ...(model.inputs[0]!.shape.slice(1) as number[])]);
    let saved: io.ModelArtifacts | undefined;
    await model.save(io.withSaveHandler((artifacts) => {
      saved = { ...(JSON.parse(JSON.stringify({ ...artifacts, weightData: undefined })) as io.ModelArtifacts), weightData: artifacts.weightData! };
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
    }));
    registerLipschitzLayers();
    const copy = kept(await loadLayersModel(io.fromMemory(saved!)));
    const output = expectTensorsKept(1, () => apply(model, x));
    tidy(() => {
      expect(apply(copy, x)).toBeAllClose(output, { rtol: 0, atol: 0 });
    });
    expect(output.shape.slice(1)).toEqual(model.outputs[0]!.shape.slice(1));
    const weights = normal(6, output.shape);
    expectGradient((input) => sum(mul(apply(model, input), weights)), x, { step: 1e-3, rtol: 0.02, atol: 3e-3 });
    for (const tensors of [x, output, weights]) tensors.dispose();
  });
});

describe('raw kernels', () => {
  const against = (shape: number[], map: (kernel: Tensor) => Tensor): void => {
    const [kernel, weights] = [normal(7, shape), tidy(() => normal(8, map(normal(7, shape)).shape))];
    expectGradient((raw) => sum(mul(map(raw), weights)), kernel, { step: 1e-3, rtol: 0.02, atol: 3e-3 });
    kernel.dispose();
    weights.dispose();
  };

  it('have the gradients of central differences', () => {
    against([3, 5], (raw) => aolKernel(raw, [1, 1]));
    against([3, 3, 2, 3], (raw) => aolKernel(raw, [1, 1]));
    against([3, 3, 1, 5], (raw) => aolKernel(raw, [2, 2]));
    against([4, 3], (raw) => bjorckKernel(raw as Tensor2D, 4));
    against([4, 3], cayleyKernel);
    against([2, 3, 3], cayleyKernel);
    against([3, 4], (raw) => sllFactors(raw, tensor1d([0.1, -0.2, 0.3, 0]) as Tensor1D));
  });

  it('stay sound where weights are extreme', () => {
    tidy(() => {
      for (const scale of [0, 1e-20, 1e6]) {
        for (const make of [(raw: Tensor2D) => aolKernel(raw, [1, 1]), (raw: Tensor2D) => bjorckKernel(raw, 15)]) {
          expect(Math.max(...singularValues(make(mul(normal(9, [5, 4]) as Tensor2D, scale))))).toBeLessThanOrEqual(1 + 2e-6);
        }
      }
      // Angles near half a turn, where the inverse is hardest.
      expect(singularValues(cayleyKernel(mul(normal(9, [6, 6]) as Tensor2D, 20)))).toBeAllClose([1, 1, 1, 1, 1, 1], { atol: 1e-3 });
    });
  });
});

describe('training', () => {
  it.each(['aol', 'bjorck', 'cayley'] as const)('lowers the loss of a network of kind %s, which stays 1-Lipschitz', (kind) => {
    const model = kept(lipschitzMlp({ inputShape: [2], hidden: [6], units: 1, kind, seed: 1 }));
    // The distance of a point from the origin, which a 1-Lipschitz function can be.
    const [x, y] = tidy(() => {
      const points = normal(2, [32, 2]);
      return [points, tensor(lengths(points), [32, 1])] as const;
    });
    const loss = (): Scalar => tidy(() => sum(square(sub(apply(model, x), y))));
    const value = (): number => tidy(() => loss().dataSync()[0]!);
    const before = value();
    const optimizer = train.adam(0.1);
    for (let step = 0; step < 15; step++) optimizer.minimize(loss);
    expect(value()).toBeLessThan(before / 2);
    expect(steepest(model, 3)).toBeLessThanOrEqual(1 + 1e-4);
    optimizer.dispose();
    x.dispose();
    y.dispose();
  });
});

describe('options', () => {
  it('are checked', () => {
    expect(() => new AolDense({ units: 0, seed: 1 })).toThrow('AolDense: units must be an integer ≥ 1, got 0.');
    expect(() => new SllConv2D({ kernelSize: 2, seed: 1 })).toThrow('SllConv2D: kernelSize must be odd, got 2.');
    expect(() => alone(new AolDense({ units: 2, inputShape: [3, 4], seed: 1 }))).toThrow('AolDense: inputs must have shape [B,I], got [,3,4].');
    expect(() => alone(new GroupSort({ inputShape: [3] }))).toThrow('GroupSort: inputs must have a multiple of groupSize 2 channels, got [,3].');
    expect(() => alone(new CayleyConv2D({ filters: 1, kernelSize: 4, inputShape: [3, 5, 1], seed: 1 }))).toThrow('CayleyConv2D: kernelSize must be at most 3, the image, got 4.');
    expect(() => lipschitzMlp({ inputShape: [2], hidden: [2], units: 1, kind: 'svd' as never, seed: 1 })).toThrow('lipschitzMlp: kind must be one of');
  });
});
