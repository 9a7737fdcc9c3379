import { expectArgument, expectInteger } from '../checks.js';
import { philox4x32 } from './philox.js';

/** Everything that determines what an {@link Rng} draws next; plain JSON. */
export interface RngState {
  readonly key: readonly [number, number];
  /** Blocks of four words drawn so far. */
  readonly counter: number;
}

/**
 * Counter-based random numbers: a key decides the whole sequence, and keys form a tree.
 *
 * @remarks
 * `stream(name)` and `at(index)` derive independent children without drawing, so what an example receives depends on
 * (seed, stream, example, step) and never on batch size, order or sharding, as with the keys of JAX. Draws advance only this
 * object's own counter. Each draw starts at a fresh block, so its values do not depend on the sizes of earlier draws beyond their block count.
 *
 * @see Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3" (Philox 4x32-10).
 *
 * @example
 * const rng = createRng(7);
 * const noise = rng.stream('pgd/start').at(exampleId).uniform(784, -eps, eps);
 */
export interface Rng {
  /** Child for a named purpose; the same name gives the same child. */
  stream(name: string): Rng;
  /** Child for integers ≥ 0 such as an example id and a step; the same path gives the same child. */
  at(...path: readonly number[]): Rng;
  /** `length` values in `[low, high)`, float32. @defaultValue `low = 0`, `high = 1` */
  uniform(length: number, low?: number, high?: number): Float32Array;
  /** `length` normal values, float32. @defaultValue `mean = 0`, `std = 1` */
  normal(length: number, mean?: number, std?: number): Float32Array;
  /** `length` integers in `[0, bound)`. */
  integers(length: number, bound: number): Int32Array;
  /** The numbers `0 … length - 1` in random order. */
  permutation(length: number): Int32Array;
  /** A seed for a tfjs random op, in `[1, 2^31)`; tfjs takes 0 for "no seed". */
  nextSeed(): number;
  /** What to save so that {@link restoreRng} continues exactly here. */
  state(): RngState;
}

const WORDS_PER_BLOCK = 4;
const UINT32 = 0x1_0000_0000;

// Counter words 2 and 3 tell the uses of one key apart: draws, named children, numbered children.
const DRAW = 0;
const STREAM = 1;
const PATH = 2;

class PhiloxRng implements Rng {
  readonly #k0: number;
  readonly #k1: number;
  #counter: number;

  constructor(k0: number, k1: number, counter: number) {
    this.#k0 = k0 | 0;
    this.#k1 = k1 | 0;
    this.#counter = counter;
  }

  #child(word0: number, word1: number, purpose: number): PhiloxRng {
    const block = new Uint32Array(WORDS_PER_BLOCK);
    philox4x32(word0, word1, purpose, 0, this.#k0, this.#k1, block);
    return new PhiloxRng(block[0]!, block[1]!, 0);
  }

  #words(count: number): Uint32Array {
    const blocks = Math.ceil(count / WORDS_PER_BLOCK);
    const words = new Uint32Array(blocks * WORDS_PER_BLOCK);
    for (let block = 0; block < blocks; block++, this.#counter++) {
      philox4x32(this.#counter, Math.floor(this.#counter / UINT32), DRAW, 0, this.#k0, this.#k1, words, block * WORDS_PER_BLOCK);
    }
    return words;
  }

  stream(name: string): Rng {
    // The name enters as UTF-8, eight bytes at a time, so every name has its own chain of keys.
    const bytes = new TextEncoder().encode(name);
    let child = this.#child(bytes.length, 0, STREAM);
    for (let i = 0; i < bytes.length; i += 8) {
      const word = (at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
      child = child.#child(word(i), word(i + 4), STREAM);
    }
    return child;
  }

  at(...path: readonly number[]): Rng {
    expectArgument('Rng.at', 'path', path.length > 0, 'have at least one index', path);
    return path.reduce<PhiloxRng>((rng, index) => {
      expectInteger('Rng.at', 'index', index, 0);
      return rng.#child(index, Math.floor(index / UINT32), PATH);
    }, this);
  }

  uniform(length: number, low = 0, high = 1): Float32Array {
    expectInteger('Rng.uniform', 'length', length, 0);
    const words = this.#words(length);
    const values = new Float32Array(length);
    const scale = (high - low) / 2 ** 24;
    // 24 bits fill a float32 mantissa, and keep `high` itself out of reach.
    for (let i = 0; i < length; i++) values[i] = low + (words[i]! >>> 8) * scale;
    return values;
  }

  normal(length: number, mean = 0, std = 1): Float32Array {
    expectInteger('Rng.normal', 'length', length, 0);
    const words = this.#words(length + (length % 2));
    const values = new Float32Array(length);
    for (let i = 0; i < length; i += 2) {
      // Box & Muller 1958; the first uniform lies in (0, 1], so its logarithm is finite.
      const radius = std * Math.sqrt(-2 * Math.log((words[i]! + 1) / UINT32));
      const angle = (2 * Math.PI * words[i + 1]!) / UINT32;
      values[i] = mean + radius * Math.cos(angle);
      if (i + 1 < length) values[i + 1] = mean + radius * Math.sin(angle);
    }
    return values;
  }

  integers(length: number, bound: number): Int32Array {
    expectInteger('Rng.integers', 'length', length, 0);
    expectInteger('Rng.integers', 'bound', bound, 1, 2 ** 31 - 1);
    const words = this.#words(2 * length);
    // 53 random bits make the bias of the modulo smaller than 2^-22 for any bound.
    return Int32Array.from({ length }, (_, i) => Math.floor(((words[2 * i]! * 2 ** 21 + (words[2 * i + 1]! >>> 11)) / 2 ** 53) * bound));
  }

  permutation(length: number): Int32Array {
    expectInteger('Rng.permutation', 'length', length, 0, 2 ** 31 - 1);
    const order = Int32Array.from({ length }, (_, i) => i);
    const words = this.#words(2 * length);
    for (let i = length - 1; i > 0; i--) {
      const j = Math.floor(((words[2 * i]! * 2 ** 21 + (words[2 * i + 1]! >>> 11)) / 2 ** 53) * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }

  nextSeed(): number {
    return 1 + (this.#words(1)[0]! % (2 ** 31 - 1));
  }

  state(): RngState {
    return { key: [this.#k0 >>> 0, this.#k1 >>> 0], counter: this.#counter };
  }
}

/**
 * Root of a tree of random streams.
 *
 * @param seed - integer in `[0, 2^53)`; two seeds give unrelated sequences.
 * @throws {@link ArgumentError} if `seed` is not such an integer.
 */
export function createRng(seed: number): Rng {
  expectInteger('createRng', 'seed', seed, 0);
  return new PhiloxRng(seed, Math.floor(seed / UINT32), 0);
}

/**
 * An {@link Rng} that continues where {@link Rng.state} was taken.
 *
 * @throws {@link ArgumentError} if the state is not one.
 */
export function restoreRng(state: RngState): Rng {
  const words = [...(state?.key ?? []), state?.counter];
  const valid = words.length === 3 && words.every((word) => Number.isSafeInteger(word) && (word as number) >= 0);
  expectArgument('restoreRng', 'state', valid, 'be { key: [word, word], counter } of integers ≥ 0', JSON.stringify(state));
  return new PhiloxRng(state.key[0], state.key[1], state.counter);
}
