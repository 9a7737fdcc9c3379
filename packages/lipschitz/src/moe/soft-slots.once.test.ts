import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { denseSpectralNorm } from '../spectral/dense-spectral-norm.js';
import { applyAffine, plus, randomAffine, softmaxOf } from '../testing/toys.js';
import { softSlotsBound } from './soft-slots.js';

const [TOKENS, SIZE, SLOTS] = [3, 2, 4];
const zeros = (): Float64Array => new Float64Array(SIZE);

describe('softSlotsBound', () => {
  it('is never below the slopes of a soft MoE with affine experts', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const rng = createRng(seed);
      const input = Float64Array.from(rng.normal(TOKENS * SIZE));
      const scores = randomAffine(SIZE, SLOTS, seed + 50).kernel;
      const experts = [0, 1].map((e) => randomAffine(SIZE, SIZE, seed * 10 + e));
      const token = (x: Float64Array, t: number): Float64Array => x.subarray(t * SIZE, (t + 1) * SIZE);
      const forward = (x: Float64Array): Float64Array => {
        const z = Array.from({ length: TOKENS }, (_, t) => applyAffine({ kernel: scores, bias: new Float64Array(SLOTS) }, token(x, t)));
        const slots = Array.from({ length: SLOTS }, (_, s) => {
          const dispatch = softmaxOf(Float64Array.from(z, (row) => row[s]!));
          const mixed = dispatch.reduce<Float64Array>((sum, weight, t) => plus(sum, token(x, t), weight), zeros());
          return applyAffine(experts[s % 2]!, mixed);
        });
        return Float64Array.from(z.flatMap((row) => Array.from(softmaxOf(row).reduce<Float64Array>((sum, weight, s) => plus(sum, slots[s]!, weight), zeros()))));
      };
      const radius = 0.5;
      const longest = Math.max(...[0, 1, 2].map((t) => Math.hypot(...token(input, t)))) + radius;
      const bounds = experts.map(({ kernel }) => denseSpectralNorm(kernel));
      // Slots are mixtures of tokens, so no longer than the longest: outputs are at most L R + |b| from 0.
      const size = Math.max(...experts.map(({ bias }, e) => bounds[e]!.value * longest + Math.hypot(...bias)));
      const disagreement = { kind: 'disagreement', value: 2 * size, status: 'upper', norm: 'L2', domain: { norm: 'L2', radius }, method: 'test' } as const;
      const bound = softSlotsBound({ kernel: scores, input: { shape: [TOKENS, SIZE], values: input }, radius, experts: bounds, disagreement });
      for (let trial = 1; trial <= 20; trial++) {
        const raw = Float64Array.from(createRng(seed).at(trial).normal(TOKENS * SIZE));
        const step = raw.map((value) => (value * radius * (trial % 2 ? 1 : 1e-3)) / Math.hypot(...raw));
        expect(Math.hypot(...plus(forward(plus(input, step)), forward(input), -1)) / Math.hypot(...step)).toBeLessThanOrEqual(bound.value);
      }
    }
  });

  it('is √T max L (√S + R ‖Φ‖_F) + D_f D_s / 4', () => {
    const domain = { norm: 'L2', radius: 1 } as const;
    const kernel = { shape: [1, 2], values: [2, -1] };
    const expert = { value: 3, status: 'exact', norm: 'L2', domain: 'global', method: 'test' } as const;
    const disagreement = { kind: 'disagreement', value: 8, status: 'upper', norm: 'L2', domain, method: 'test' } as const;
    const options = { kernel, input: { shape: [4, 1], values: [1, -2, 0, 1] }, radius: 1, experts: [expert], disagreement };
    // √4 · 3 (√2 + 3 √5) + 8 · 3 / 4
    expect(softSlotsBound(options)).toMatchObject({ value: expect.closeTo(6 * (Math.SQRT2 + 3 * Math.sqrt(5)) + 6, 10), domain });
    expect(() => softSlotsBound({ ...options, radius: 2 })).toThrow('disagreement.domain must hold in a ball of 2, got 1');
    expect(() => softSlotsBound({ ...options, experts: [{ ...expert, domain }] })).toThrow("bounded on domain 'global'");
  });
});
