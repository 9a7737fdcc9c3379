// Shapes: B batch, N tokens, D features.
import { expectArgument } from '@moe/core';
import { type Tensor, type Tensor3D, add, concat, type serialization, tensor, tidy, tile } from '@tensorflow/tfjs-core';
import type { LayerPart } from '../../spec/parts.js';
import { type LayerArgs, onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, tokenWeights } from '../weights.js';
import { TokenLayer } from './token-layer.js';

/** What marks the place of a token. */
export type Position = 'learned' | 'sincos2d' | 'none';

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
export class Tokens extends TokenLayer {
  static readonly className = 'MoeTokens';
  readonly classToken: boolean;
  readonly position: Position;

  constructor(args: LayerArgs & { readonly classToken: boolean; readonly position: Position; readonly seed: number }) {
    super(args);
    this.classToken = args.classToken;
    this.position = args.position;
  }

  get part(): LayerPart {
    return { kind: 'tokens', classToken: this.classToken, position: this.position };
  }

  protected weightSpecs([tokens = 0, width = 0]: readonly number[]): readonly WeightSpec[] {
    return tokenWeights(tokens + Number(this.classToken), width, this);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs) as unknown as Tensor3D;
      const [batch, tokens, width] = x.shape;
      const marked = this.position === 'sincos2d' ? add(x, tensor(sincos2d(tokens, width), [1, tokens, width])) : x;
      const all = this.classToken ? concat([tile(this.read('class'), [batch, 1, 1]), marked], 1) : marked;
      return this.position === 'learned' ? add(all, this.read('position')) : all;
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), classToken: this.classToken, position: this.position };
  }
}
