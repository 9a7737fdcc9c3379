import { createRng } from '@moe/core';
import { convGap, gapFc, topKRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, type Tensor4D, add, batchNorm, conv2d, dispose, div, io, losses, matMul, maxPool, mean, memory, oneHot, relu, square, sub, sum, tensor, tensor1d, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { countMacs, countParameters } from './counting/count.js';
import { moeModel } from './model/moe-model.js';
import { modelWeights } from './model/model-weights.js';
import { preactResnet, resnet, wideResnet } from './resnet.js';
import { wideResnetSpec } from './spec/preactivation-spec.js';
import { type ResnetOptions, resnetSpec } from './spec/resnet-spec.js';

const TINY: ResnetOptions = { depth: 10, width: 2, stem: 'cifar', classes: 3, inputShape: [8, 8, 3], seed: 5 };
const router = topKRouter({ numExperts: 2, topK: 2, gate: convGap({ kernel: 1 }), balance: { loss: 'columnEntropyLoss', weight: 0.5 } });

const images = (count: number, [H, W, C]: readonly number[]): Tensor => tensor(createRng(3).uniform(count * H! * W! * C!), [count, H!, W!, C!]);
const predict = (model: ReturnType<typeof resnet>, x: Tensor): number[] => tidy(() => Array.from((model.apply(x, { training: false }) as Tensor).dataSync()));

describe('resnet', () => {
  it.each([
    [10, 12],
    [18, 20],
    [34, 36],
  ] as const)('of depth %i has as many layers with a kernel, plus the skips that change shape', (depth, kernels) => {
    const convs = resnetSpec({ ...TINY, depth }).layers.filter(({ part }) => part.kind === 'conv' || part.kind === 'linear');
    expect(convs.length).toBe(kernels + 1);
  });

  it('halves the maps three times in the CIFAR form and five times in the ImageNet form', () => {
    const shapeOf = (options: Partial<ResnetOptions>, name: string) => resnetSpec({ ...TINY, ...options }).layers.find((layer) => layer.name === name)!.outputShape;
    expect(shapeOf({ inputShape: [28, 28, 1] }, 'layer4.0.relu2')).toEqual([4, 4, 16]);
    expect(shapeOf({ inputShape: [32, 32, 3] }, 'layer4.0.relu2')).toEqual([4, 4, 16]);
    expect(shapeOf({ inputShape: [224, 224, 3], stem: 'imagenet' }, 'layer1.0.relu2')).toEqual([56, 56, 2]);
    expect(shapeOf({ inputShape: [224, 224, 3], stem: 'imagenet' }, 'layer4.0.relu2')).toEqual([7, 7, 16]);
  });

  it.each([
    ['cifar' as const, [9, 10, 3]],
    ['imagenet' as const, [33, 34, 3]],
  ])('with the %s stem computes what torchvision writes down, for even and odd sizes', (stem, inputShape) => {
    const network = resnet({ ...TINY, depth: 18, stem, inputShape });
    const x = images(2, inputShape) as Tensor4D;
    tidy(() => void moeModel(network).forward(x, { training: true })); // Moves the running statistics off their start.
    tidy(() => {
      const weights = new Map(modelWeights(network).map(({ name, variable }) => [name, variable]));
      const get = (name: string): Tensor => weights.get(name)!;
      const conv = (input: Tensor, name: string, stride: number): Tensor => {
        const kernel = get(`${name}/kernel`) as Tensor4D;
        return conv2d(input as Tensor4D, kernel, stride, (kernel.shape[0] - 1) / 2, 'NHWC', 1, 'floor');
      };
      const norm = (input: Tensor, name: string): Tensor => {
        const [mean, variance, beta, gamma] = ['movingMean', 'movingVariance', 'beta', 'gamma'].map((part) => get(`${name}/${part}`) as Tensor1D);
        return batchNorm(input, mean!, variance!, beta, gamma, 1e-5);
      };
      let h = relu(norm(conv(x, 'conv1', stem === 'cifar' ? 1 : 2), 'bn1'));
      if (stem === 'imagenet') h = maxPool(h as Tensor4D, 3, 2, 1, 'floor');
      for (const stage of [1, 2, 3, 4]) {
        for (const i of [0, 1]) {
          const path = `layer${stage}.${i}`;
          const stride = stage > 1 && i === 0 ? 2 : 1;
          const branch = norm(conv(relu(norm(conv(h, `${path}.conv1`, stride), `${path}.bn1`)), `${path}.conv2`, 1), `${path}.bn2`);
          const skip = stride === 2 ? norm(conv(h, `${path}.downsample.0`, 2), `${path}.downsample.1`) : h;
          h = relu(add(branch, skip));
        }
      }
      const logits = add(matMul(mean(h, [1, 2]) as Tensor2D, get('fc/kernel') as Tensor2D), get('fc/bias'));
      expect(predict(network, x)).toBeAllClose(logits, { rtol: 1e-4, atol: 1e-5 });
    });
    network.dispose();
    x.dispose();
  });

  it('is the same network for the same seed and another for another', () => {
    const [a, b, c] = [resnet(TINY), resnet(TINY), resnet({ ...TINY, seed: 6 })];
    const x = images(2, TINY.inputShape);
    expect(predict(a, x)).toEqual(predict(b, x));
    expect(predict(a, x)).not.toEqual(predict(c, x));
    [a, b, c].forEach((model) => model.dispose());
    x.dispose();
  });

  it('normalises inside, per channel', () => {
    const normalize = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.5] };
    const [inside, plain] = [resnet({ ...TINY, normalize }), resnet(TINY)];
    const x = images(2, TINY.inputShape);
    const outside = tidy(() => div(sub(x, tensor1d(normalize.mean)), tensor1d(normalize.std)));
    expect(predict(inside, x)).toBeAllClose(predict(plain, outside), { rtol: 1e-4, atol: 1e-5 });
    [inside, plain].forEach((model) => model.dispose());
    x.dispose();
    outside.dispose();
  });

  it('starts with Kaiming-normal kernels by fan-out, unit batch norms and a uniform classifier', () => {
    const model = resnet({ ...TINY, width: 4 });
    const values = (name: string): number[] => Array.from(modelWeights(model).find((weight) => weight.name === name)!.variable.dataSync());
    const kernel = values('layer4.0.conv1/kernel');
    // 3·3·32 outputs: variance 2/288; 4608 samples give it to within 4·√(2/4608) = 8 %.
    expect(kernel.reduce((total, v) => total + v * v, 0) / kernel.length / (2 / 288)).toBeWithin(0.92, 1.08);
    expect(values('bn1/gamma')).toEqual([1, 1, 1, 1]);
    expect(values('bn1/beta')).toEqual([0, 0, 0, 0]);
    expect([...values('fc/kernel'), ...values('fc/bias')]).toBeWithin(-1 / Math.sqrt(32), 1 / Math.sqrt(32));
    model.dispose();
  });

  it('keeps nothing alive after dispose', () => {
    const before = memory().numTensors;
    resnet({ ...TINY, moe: { at: 'layer4', kind: 'block', router } }).dispose();
    expect(memory().numTensors).toBe(before);
  });

  it.each([
    ['block' as const, 'layer4'],
    ['conv' as const, 'layer3.0'],
  ])('comes back from a saved file with %s experts and the same logits', async (kind, at) => {
    const options: ResnetOptions = { ...TINY, normalize: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.5] }, moe: { at, kind, router } };
    const model = resnet(options);
    const x = images(3, TINY.inputShape);
    tidy(() => void moeModel(model).forward(x, { training: true })); // Moves the running statistics off their start.
    let saved: io.ModelArtifacts | undefined;
    await model.save(io.withSaveHandler((artifacts) => {
      saved = JSON.parse(JSON.stringify({ ...artifacts, weightData: undefined })) as io.ModelArtifacts;
      saved.weightData = artifacts.weightData!;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
    }));
    const copy = await loadLayersModel(io.fromMemory(saved!));
    expect(predict(copy, x)).toEqual(predict(model, x));
    expect(modelWeights(copy).map(({ name, trainable }) => [name, trainable])).toEqual(modelWeights(model).map(({ name, trainable }) => [name, trainable]));
    expect(moeModel(copy).moeLayers).toEqual(moeModel(model).moeLayers);
    model.dispose();
    copy.dispose();
    x.dispose();
  });

  it('learns with the fit of tfjs', async () => {
    const model = resnet({ ...TINY, moe: { at: 'layer4', kind: 'block', router } });
    const x = images(9, TINY.inputShape);
    const labels = tidy(() => oneHot(tensor1d([0, 1, 2, 0, 1, 2, 0, 1, 2], 'int32'), 3));
    model.compile({ optimizer: 'sgd', loss: losses.softmaxCrossEntropy });
    const { history } = await model.fit(x, labels, { epochs: 8, batchSize: 9, shuffle: false, verbose: 0 });
    expect(history['loss']!.at(-1)).toBeLessThan(history['loss']![0] as number);
    model.dispose();
    x.dispose();
    labels.dispose();
  });

  it('prints a summary', () => {
    const model = resnet({ ...TINY, moe: { at: 'layer4', kind: 'block', router } });
    const lines: string[] = [];
    model.summary(undefined, undefined, (line: string) => void lines.push(line));
    expect(lines.join('\n')).toContain('layer4.0 (BlockMoe)');
    model.dispose();
  });

  it.each<[object, string]>([
    [{ depth: 12 }, 'resnet: depth must be one of 10, 18, 34, 50, got 12.'],
    [{ width: 0 }, 'resnet: width must be an integer ≥ 1, got 0.'],
    [{ stem: 'mnist' }, "resnet: stem must be one of 'cifar', 'imagenet', got 'mnist'."],
    [{ inputShape: [8, 8] }, 'resnet: inputShape must be [height, width, channels], got [8, 8].'],
    [{ normalize: { mean: [0], std: [1, 1, 1] } }, 'resnet: normalize.mean must have one value per channel (3), got [0].'],
    [{ normalize: { mean: [0, 0, 0], std: [1, 0, 1] } }, 'resnet: normalize.std must be positive, got [1, 0, 1].'],
    [{ moe: { at: 'layer5', kind: 'block', router } }, "got 'layer5'. Valid places: layer1, layer1.0, layer2, layer2.0, layer3, layer3.0, layer4, layer4.0."],
    [{ moe: { at: 'layer4.0.conv1', kind: 'block', router } }, "resnet: moe.at must be a place in the network, got 'layer4.0.conv1'."],
    [{ moe: { at: [], kind: 'block', router } }, 'resnet: moe.at must name at least one place'],
    [{ moe: { at: 'layer4', kind: 'block', router: 4 } }, 'resnet: moe.router must be a Router or a function that returns one, got 4.'],
    [{ moe: { at: 'layer4', kind: 'block', router, downsample: false } }, "resnet: moe.downsample must be left out with kind 'block', got false."],
    [{ depth: 18, widen: 2 }, 'resnet: widen must be 1 for a network of BasicBlocks, got 2. Use width, or wideResnet.'],
    [{ moe: { at: 'layer4', kind: 'stage', router } }, 'resnet: moe.innerWidth must be a function that gives the channels inside an expert, got undefined.'],
    [{ moe: { at: 'layer4', kind: 'block', router, residual: true } }, "resnet: moe.residual must be left out with kind 'block', got true."],
    [{ widht: 3 }, "resnet: unknown option 'widht'."],
  ])('refuses %j', (options: object, message) => {
    expectTensorsKept(0, () => expect(() => resnet({ ...TINY, ...options } as ResnetOptions)).toThrow(message));
  });

  it('asks a router function for each place, with its input shape', () => {
    const asked: (readonly number[])[] = [];
    resnetSpec({ ...TINY, moe: { at: ['layer2', 'layer4'], kind: 'block', router: (shape) => (asked.push(shape), topKRouter({ numExperts: 2, gate: gapFc() })) } });
    expect(asked).toEqual([[8, 8, 2], [2, 2, 8]]);
  });
});

describe('networks of other blocks', () => {
  const base = { classes: 3, inputShape: [8, 8, 3], seed: 5 } as const;
  const narrow = { at: 'layer3', kind: 'stage', innerWidth: () => 3, residual: true, router } as const;
  it.each([
    ['resnet of bottlenecks', () => resnet({ ...TINY, depth: 50 })],
    ['resnet of bottlenecks with experts', () => resnet({ ...TINY, depth: 50, moe: { at: 'layer4.1', kind: 'block', router } })],
    ['resnet with narrow stages', () => resnet({ ...TINY, depth: 18, moe: narrow })],
    ['wideResnet', () => wideResnet({ ...base, depth: 10, widen: 1 })],
    ['wideResnet with experts', () => wideResnet({ ...base, depth: 16, widen: 1, moe: { at: 'layer3', kind: 'block', router } })],
    ['preactResnet with mixed convolutions', () => preactResnet({ ...base, width: 4, blocks: [1, 1], moe: { at: 'layer2', kind: 'conv', router } })],
  ] as const)('%s: saves, loads, routes and learns', async (_, make) => {
    const model = make();
    const x = images(3, [8, 8, 3]);
    tidy(() => void moeModel(model).forward(x, { training: true }));
    let saved: io.ModelArtifacts | undefined;
    await model.save(io.withSaveHandler((artifacts) => {
      saved = artifacts;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
    }));
    const copy = await loadLayersModel(io.fromMemory(saved!));
    expect(predict(copy, x)).toEqual(predict(model, x));
    const slopes = tidy(() => variableGrads(() => mean(square(moeModel(model).forward(x, { training: true, updateStatistics: false }).logits)) as Scalar, modelWeights(model).filter(({ trainable }) => trainable).map(({ variable }) => variable)).grads);
    for (const [name, slope] of Object.entries(slopes)) expect(Number.isFinite(sum(slope).dataSync()[0]), name).toBe(true);
    expect(Object.keys(slopes).length).toBeGreaterThan(10);
    dispose([x, slopes]);
    model.dispose();
    copy.dispose();
  });

  it.each([
    ['block', resnet],
    ['conv', resnet],
    ['stage', resnet],
    ['block', wideResnet],
  ] as const)('%s experts (case %#) route by the image alone with gateFrom, and count shared experts', (kind, make) => {
    const seen: (readonly number[])[] = [];
    const normalize = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.5] };
    const moe = { at: 'layer3', kind, gateFrom: 'image', sharedExperts: 1, ...(kind === 'stage' && { innerWidth: () => 3 }), router: (shape: readonly number[]) => (seen.push(shape), topKRouter({ numExperts: 2, gate: convGap() })) } as const;
    const options = make === resnet ? { ...TINY, normalize, moe } : { ...base, depth: 10, widen: 1, normalize, moe };
    const model = make(options as never);
    const spec = make === resnet ? resnetSpec(options as never) : wideResnetSpec(options as never);
    expect(seen.every((shape) => shape.join() === '8,8,3')).toBe(true);
    expect([countParameters(model), countMacs(model)]).toEqual([countParameters(spec), countMacs(spec)]);
    const x = images(4, [8, 8, 3]);
    tidy(() => {
      const kernels = new Map(modelWeights(model).map(({ name, variable }) => [name, variable]));
      expect(modelWeights(model).some(({ name }) => name.includes('/shared0/'))).toBe(true);
      const scale = div(sub(x, tensor1d(normalize.mean)), tensor1d(normalize.std)) as Tensor4D;
      moeModel(model).forward(x).routing.forEach(({ layer, gateLogits }) => {
        const logits = mean(conv2d(scale, kernels.get(`${layer}/router/kernel`) as unknown as Tensor4D, 1, 'valid'), [1, 2]);
        expect(gateLogits).toBeAllClose(logits, { rtol: 1e-3, atol: 1e-4 });
      });
    });
    model.dispose();
    x.dispose();
  });

  it('of convolutions has no second input where experts see the image themselves', () => {
    const model = resnet({ ...TINY, moe: { at: ['conv1', 'layer1'], kind: 'conv', gateFrom: 'image', router } });
    const x = images(2, TINY.inputShape);
    expect(resnetSpec({ ...TINY, moe: { at: ['conv1', 'layer1'], kind: 'conv', gateFrom: 'image', router } }).layers.filter(({ part }) => 'router' in part).map(({ inputs }) => inputs)).toEqual([['input'], ['relu', 'input'], ['layer1.0.relu1', 'input']]);
    expect(tidy(() => moeModel(model).forward(x).routing.length)).toBe(3);
    model.dispose();
    x.dispose();
  });

  it('a narrow stage adds its skip to the mixture', () => {
    const model = resnet({ ...TINY, depth: 18, width: 4, moe: { ...narrow, at: 'layer1', innerWidth: () => 2 } });
    const x = images(2, TINY.inputShape);
    tidy(() => {
      const stage = model.getLayer('layer1');
      const input = tensor(createRng(1).uniform(2 * 64 * 4), [2, 8, 8, 4]);
      const fixed = (residual: boolean): Tensor => {
        Object.assign(stage, { residual });
        return stage.call(input, {}) as Tensor;
      };
      expect(sub(fixed(true), fixed(false))).toBeAllClose(input, { atol: 1e-5 });
    });
    model.dispose();
    x.dispose();
  });

  it('a preactivation block computes what the paper writes down', () => {
    const model = preactResnet({ ...base, width: 2, blocks: [1, 1] });
    const x = images(2, [8, 8, 3]) as Tensor4D;
    tidy(() => void moeModel(model).forward(x, { training: true }));
    tidy(() => {
      const weights = new Map(modelWeights(model).map(({ name, variable }) => [name, variable]));
      const conv = (input: Tensor, name: string, stride: number, pad: number): Tensor => conv2d(input as Tensor4D, weights.get(`${name}/kernel`) as unknown as Tensor4D, stride, pad, 'NHWC', 1, 'floor');
      const active = (input: Tensor, name: string): Tensor => {
        const [m, v, beta, gamma] = ['movingMean', 'movingVariance', 'beta', 'gamma'].map((part) => weights.get(`${name}/${part}`) as unknown as Tensor1D);
        return relu(batchNorm(input, m!, v!, beta, gamma, 1e-5));
      };
      let h = conv(x, 'conv1', 1, 1);
      h = add(conv(active(conv(active(h, 'layer1.0.bn1'), 'layer1.0.conv1', 1, 1), 'layer1.0.bn2'), 'layer1.0.conv2', 1, 1), h);
      const a = active(h, 'layer2.0.bn1');
      h = add(conv(active(conv(a, 'layer2.0.conv1', 2, 1), 'layer2.0.bn2'), 'layer2.0.conv2', 1, 1), conv(a, 'layer2.0.downsample.0', 2, 0));
      const logits = add(matMul(mean(active(h, 'bn1'), [1, 2]) as Tensor2D, weights.get('fc/kernel') as unknown as Tensor2D), weights.get('fc/bias')!);
      expect(predict(model, x)).toBeAllClose(logits, { rtol: 1e-4, atol: 1e-5 });
    });
    model.dispose();
    x.dispose();
  });
});
