// How steep a feed-forward layer is at the tokens that it sees, and how much of that is its router's.
import type { MoeModel, Rng } from '@moe/core';
import { type Tensor, type Tensor2D, type Tensor3D, add, dispose, div, grad, maximum, mul, sqrt, square, sub, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { layerAt } from './layer-at.js';

/** Means over tokens of lower bounds, each reached by a direction: norms of Jacobians by power iteration. */
export interface LayerSlopes {
  readonly layer: string;
  /** ‖J‖ of the layer as it is. */
  readonly total: number;
  /** … with the combine weights held: Σ p_i J_i. */
  readonly experts: number;
  /** … of what is left, the movement of the weights; 0 in a dense layer. */
  readonly router: number;
  readonly steepestToken: number;
}

const STEP = 1e-2;
const TINY = 1e-12;

type TokenMap = (tokens: Tensor3D) => Tensor3D;

/** Length of each token, `[B,N,D] → [B,N,1]`. */
const lengths = (x: Tensor3D): Tensor3D => sqrt(sum(square(x), 2, true)) as Tensor3D;
const unit = (x: Tensor3D): Tensor3D => div(x, maximum(lengths(x), TINY)) as Tensor3D;

/** A linear map of each token, and its transpose. */
interface Jacobian {
  readonly forward: TokenMap;
  readonly backward: TokenMap;
}

/** Of a map that treats tokens one by one, at these tokens. */
function jacobianOf(map: TokenMap, at: Tensor3D): Jacobian {
  return {
    forward: (v) => tidy(() => div(sub(map(add(at, mul(v, STEP))), map(sub(at, mul(v, STEP)))), 2 * STEP) as Tensor3D),
    backward: (u) => tidy(() => grad((x) => sum(mul(map(x as Tensor3D), u)))(at) as Tensor3D),
  };
}

const minus = (a: Jacobian, b: Jacobian): Jacobian => ({ forward: (v) => tidy(() => sub(a.forward(v), b.forward(v)) as Tensor3D), backward: (u) => tidy(() => sub(a.backward(u), b.backward(u)) as Tensor3D) });

/** Largest singular value at every token, from below. */
function norms({ forward, backward }: Jacobian, start: Tensor3D, steps: number): Float32Array {
  return tidy(() => {
    let v = unit(start);
    for (let step = 0; step < steps; step++) {
      const before = v;
      v = tidy(() => unit(backward(forward(before))));
      if (step > 0) before.dispose();
    }
    return lengths(forward(v)).dataSync() as Float32Array;
  });
}

const mean = (values: Float32Array): number => values.reduce((total, value) => total + value, 0) / values.length;

/** Slopes of a layer of a network, mixture or not, at the tokens of the images. */
export function layerSlopes(network: LayersModel, layer: string, images: Tensor, rng: Rng, steps = 12): LayerSlopes {
  const cut = layerAt(network, layer);
  const tokens = cut.tokens(images);
  const start = tensor(rng.normal(tokens.size), tokens.shape) as Tensor3D;
  const run = (options: Parameters<MoeModel['forward']>[1]): TokenMap => (x) => tidy(() => cut.view.forward(x, options).logits as Tensor as Tensor3D);
  const whole = jacobianOf(run({}), tokens);
  const held: Tensor2D | undefined = cut.view.moeLayers.length === 0 ? undefined : tidy(() => cut.view.forward(tokens).routing[0]!.combineWeights);
  const fixed = held === undefined ? whole : jacobianOf(run({ experts: { [layer]: held } }), tokens);
  try {
    const [total, experts] = [norms(whole, start, steps), norms(fixed, start, steps)];
    const router = held === undefined ? 0 : mean(norms(minus(whole, fixed), start, steps));
    return { layer, total: mean(total), experts: mean(experts), router, steepestToken: Math.max(...total) };
  } finally {
    dispose([tokens, start, ...(held === undefined ? [] : [held])]);
  }
}
