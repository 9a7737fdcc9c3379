// Shapes: B batch, N tokens, D features.
import { expectArgument } from '@moe/core';
import { type Tensor, type Tensor3D, add, concat, tensor, tidy, tile } from '@tensorflow/tfjs-core';
import { PartLayer, type PartLayerArgs, type PartOf } from '../part-layer.js';
import { onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, tokenWeights } from '../weights.js';

// Wavelengths of the fixed positions go up to this, as in the source.
const LONGEST = 10_000;

/**
 * Fixed positions on a square grid of tokens: sines and cosines of column and row, a quarter of the features each.
 *
 * @param tokens - N, a square number.
 * @param width  - D, a multiple of 4.
 * @returns `[N,D]` row-major: sin x, cos x, sin y, cos y.
 * @throws {@link ArgumentError} if N is no square or D no multiple of 4.
 */
export function sincos2d(tokens: number, width: number): Float32Array {
  const side = Math.sqrt(tokens);
  expectArgument('sincos2d', 'tokens', Number.isInteger(side), 'be a square number', tokens);
  expectArgument('sincos2d', 'width', width % 4 === 0, 'be a multiple of 4', width);
  const quarter = width / 4;
  const positions = new Float32Array(tokens * width);
  for (let token = 0; token < tokens; token++) {
    for (let i = 0; i < quarter; i++) {
      const frequency = LONGEST ** (-i / Math.max(quarter - 1, 1));
      const [x, y] = [(token % side) * frequency, Math.floor(token / side) * frequency];
      [Math.sin(x), Math.cos(x), Math.sin(y), Math.cos(y)].forEach((value, part) => (positions[token * width + part * quarter + i] = value));
    }
  }
  return positions;
}

/** Marks the place of every token and puts a class token in front: `[B,N,D] → [B,N+1,D]`. */
export class Tokens extends PartLayer<'tokens'> {
  static readonly className = 'MoeTokens';

  protected describe({ classToken, position }: PartLayerArgs<'tokens'>): PartOf<'tokens'> {
    return { kind: 'tokens', classToken, position };
  }

  protected weightSpecs([tokens = 0, width = 0]: readonly number[]): readonly WeightSpec[] {
    return tokenWeights(tokens + Number(this.part.classToken), width, this.part);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs) as unknown as Tensor3D;
      const [batch, tokens, width] = x.shape;
      const marked = this.part.position === 'sincos2d' ? add(x, tensor(sincos2d(tokens, width), [1, tokens, width])) : x;
      const all = this.part.classToken ? concat([tile(this.read('class'), [batch, 1, 1]), marked], 1) : marked;
      return this.part.position === 'learned' ? add(all, this.read('position')) : all;
    });
  }
}
