import { convGap, gapFc, topKRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type SymbolicTensor, input, layers, model } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { type ResnetOptions, resnetSpec } from '../spec/resnet-spec.js';
import { resnet } from '../resnet.js';
import type { MoeOptions } from '../spec/network-options.js';
import { preactResnetSpec, wideResnetSpec } from '../spec/preactivation-spec.js';
import { countMacs, countParameters } from './count.js';

const CIFAR100: ResnetOptions = { depth: 18, stem: 'cifar', classes: 100, inputShape: [32, 32, 3], seed: 1 };

const spec = (at: string, kind: 'block' | 'conv', gate: 'GAP-FC' | 'Conv-GAP', numExperts = 4, rest: Partial<MoeOptions> = {}) =>
  resnetSpec({ ...CIFAR100, moe: { at, kind, router: topKRouter({ numExperts, gate: gate === 'GAP-FC' ? gapFc() : convGap() }), ...rest } });

// Counted with PyTorch 1.13 and torchvision 0.14 on the authors' code of Robust Experts (commit ed22e81), CIFAR-100.
describe('countParameters and countMacs', () => {
  it('count ResNet-18', () => {
    expect(countParameters(resnetSpec(CIFAR100))).toBe(11_220_132);
    expect(countMacs(resnetSpec(CIFAR100))).toBe(555_468_800);
  });

  it.each([
    ['block', 'GAP-FC', 36_404_396, [555_471_872, 689_689_600, 823_907_328, 958_125_056]],
    ['block', 'Conv-GAP', 36_428_964, [555_874_304, 690_092_032, 824_309_760, 958_527_488]],
    ['conv', 'GAP-FC', 36_394_168, [555_476_992, 689_694_720, 823_912_448, 958_130_176]],
    ['conv', 'Conv-GAP', 36_459_684, [556_353_536, 690_571_264, 824_788_992, 959_006_720]],
  ] as const)('count %s experts in the last stage behind %s', (kind, gate, parameters, macs) => {
    const network = spec('layer4', kind, gate);
    expect(countParameters(network)).toBe(parameters);
    expect([1, 2, 3, 4].map((topK) => countMacs(network, { topK }))).toEqual(macs);
  });

  it.each([
    ['layer4.1', 'block', 25_384_104, 25_400_484],
    ['layer4.0.conv1', 'conv', 14_760_104, 14_768_292],
    ['layer4.0.conv2', 'conv', 18_300_072, 18_316_452],
    ['layer4.1.conv1', 'conv', 18_300_072, 18_316_452],
    ['layer4.1.conv2', 'conv', 18_300_072, 18_316_452],
  ] as const)('count experts at %s alone', (at, kind, gapFcParameters, convGapParameters) => {
    expect(countParameters(spec(at, kind, 'GAP-FC'))).toBe(gapFcParameters);
    expect(countParameters(spec(at, kind, 'Conv-GAP'))).toBe(convGapParameters);
  });

  it.each([
    [1, 11_220_132],
    [2, 19_615_400],
    [8, 69_982_388],
    [16, 137_138_372],
    [32, 271_450_340],
  ])('count %i experts', (numExperts, parameters) => {
    expect(countParameters(spec('layer4', 'block', 'GAP-FC', numExperts))).toBe(parameters);
  });

  // Bottlenecks of the same paper; its R50 rows.
  it('count ResNet-50 and Wide-ResNet-50-2', () => {
    const deep = resnetSpec({ ...CIFAR100, depth: 50 });
    expect([countParameters(deep), countMacs(deep)]).toEqual([23_705_252, 1_298_014_208]);
    const wide = resnetSpec({ ...CIFAR100, depth: 50, widen: 2 });
    expect([countParameters(wide), countMacs(wide)]).toEqual([67_031_460, 3_684_573_184]);
  });

  it.each([
    ['block', gapFc(), 68_619_952, [1_298_034_688, 1_562_275_840, 1_826_516_992, 2_090_758_144]],
    ['block', convGap(), 68_783_780, []],
    ['conv', gapFc(), 68_568_780, [1_298_051_072, 1_562_292_224, 1_826_533_376, 2_090_774_528]],
    ['conv', convGap(), 68_863_652, []],
  ] as const)('count %s experts in the last stage of ResNet-50', (kind, gate, parameters, macs) => {
    const network = resnetSpec({ ...CIFAR100, depth: 50, moe: { at: 'layer4', kind, router: topKRouter({ numExperts: 4, gate }) } });
    expect(countParameters(network)).toBe(parameters);
    macs.forEach((expected, i) => expect(countMacs(network, { topK: i + 1 })).toBe(expected));
  });

  it.each([
    [18, 1, 11_689_512],
    [34, 1, 21_797_672],
    [50, 1, 25_557_032],
    [50, 2, 68_883_240],
  ] as const)('count the ImageNet form of depth %i, widened by %i, as torchvision does', (depth, widen, parameters) => {
    expect(countParameters(resnetSpec({ depth, widen, stem: 'imagenet', classes: 1000, inputShape: [224, 224, 3], seed: 1 }))).toBe(parameters);
  });

  it('count the preactivation networks of robust training', () => {
    expect(countParameters(wideResnetSpec({ classes: 10, inputShape: [32, 32, 3], seed: 1 }))).toBe(36_479_194);
    expect(countParameters(preactResnetSpec({ classes: 10, inputShape: [32, 32, 3], seed: 1 }))).toBe(11_172_170);
  });

  it.each([
    [1, 25, 75_023, 147_968],
    [2, 50, 267_024, 525_568],
    [3, 90, 1_010_400, 2_099_712],
    [4, 180, 4_037_448, 8_393_728],
  ])('count the narrow experts of the predecessor in stage %i', (stage, inner, expert, dense) => {
    const parameters = (moe?: MoeOptions): number => countParameters(resnetSpec({ ...CIFAR100, ...(moe !== undefined && { moe }) }));
    const narrow = (residual: boolean): MoeOptions => ({ at: `layer${stage}`, kind: 'stage', innerWidth: () => inner, residual, router: topKRouter({ numExperts: 4, topK: 2, gate: gapFc() }) });
    const channels = stage === 1 ? 64 : 64 * 2 ** (stage - 2);
    expect(parameters(narrow(false)) - parameters()).toBe(4 * expert - dense + channels * 4 + 4);
    const skip = stage === 1 ? 0 : channels * 2 * channels + 2 * 2 * channels;
    expect(parameters(narrow(true)) - parameters(narrow(false))).toBe(skip);
  });

  it('leave the skip convolution dense on request: 3 copies of 1x1x256x512 and one gate fewer', () => {
    const difference = countParameters(spec('layer4', 'conv', 'GAP-FC')) - countParameters(spec('layer4', 'conv', 'GAP-FC', 4, { downsample: false }));
    expect(difference).toBe(3 * 256 * 512 + 256 * 4 + 4);
  });

  it('count a built model as its description, and keep no tensor', () => {
    const options: ResnetOptions = { ...CIFAR100, depth: 10, width: 2, moe: { at: 'layer4', kind: 'block', router: topKRouter({ numExperts: 3, topK: 2, gate: gapFc() }) } };
    const network = resnet(options);
    expectTensorsKept(0, () => {
      const description = resnetSpec(options);
      expect(countParameters(network)).toBe(countParameters(description));
      expect(countMacs(network)).toBe(countMacs(description));
      expect(countMacs(network)).toBe(countMacs(description, { topK: 2 }));
    });
    network.dispose();
  });

  it('refuse a layer of unknown cost', () => {
    const image = input({ shape: [4] });
    const stock = model({ inputs: image, outputs: layers.dense({ units: 2, name: 'stock' }).apply(image) as SymbolicTensor });
    expect(countParameters(stock)).toBe(10);
    expect(() => countMacs(stock)).toThrow("countMacs: layer 'stock' must be a layer of @moe/layers, got Dense.");
    stock.dispose();
  });

  it('refuse more experts than there are', () => {
    expect(() => countMacs(spec('layer4', 'block', 'GAP-FC'), { topK: 5 })).toThrow('countMacs: topK must be an integer in [1, 4], got 5.');
  });
});
