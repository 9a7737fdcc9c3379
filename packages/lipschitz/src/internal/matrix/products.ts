import { type CompiledProduct, productModule } from './compiled-product.js';

/** Part of a matrix: where it begins in an array of {@link Products}, and how far its rows are apart. */
export interface Block {
  readonly array: Float64Array;
  readonly from: number;
  readonly step: number;
}

/** Products of float64 matrices, and room for them. */
export interface Products {
  /** Arrays of zeros; those of the call before must not be used any more. */
  arrays<const L extends readonly number[]>(lengths: L): { readonly [K in keyof L]: Float64Array };
  /** `C += sign · A Bᵀ` for A `[rows, inner]` and B `[columns, inner]`; rows are an even number, columns come in fours, `inner` in eights. */
  add(c: Block, a: Block, b: Block, rows: number, columns: number, inner: number, sign: 1 | -1): void;
}

const PAGE = 65536;

export const roundedTo = (multiple: number, size: number): number => Math.ceil(size / multiple) * multiple;

/** The loops that WebAssembly runs, one pair of sums at a time, so that results are the same. */
function addByLoops(c: Block, a: Block, b: Block, rows: number, columns: number, inner: number, sign: number): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let even = 0;
      let odd = 0;
      for (let t = 0, p = a.from + i * a.step, q = b.from + j * b.step; t < inner; t += 2, p += 2, q += 2) {
        even += a.array[p]! * b.array[q]!;
        odd += a.array[p + 1]! * b.array[q + 1]!;
      }
      const to = c.from + i * c.step + j;
      c.array[to] = c.array[to]! + sign * (even + odd);
    }
  }
}

/** Products in JavaScript, for where WebAssembly is missing or not allowed. */
export const loopProducts = (): Products => ({
  arrays: (lengths) => lengths.map((length) => new Float64Array(length)) as never,
  add: addByLoops,
});

function compiledProducts(): Products {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(productModule()));
  const memory = exports['memory'] as WebAssembly.Memory;
  const product = exports['product'] as CompiledProduct;
  const address = ({ array, from }: Block): number => array.byteOffset + 8 * from;
  return {
    arrays: (lengths) => {
      // Vectors lie on multiples of 16 bytes.
      const sizes = lengths.map((length) => roundedTo(16, 8 * length));
      const missing = sizes.reduce((sum, size) => sum + size, 0) - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
      let at = 0;
      return lengths.map((length, i) => {
        const array = new Float64Array(memory.buffer, at, length).fill(0);
        at += sizes[i]!;
        return array;
      }) as never;
    },
    add: (c, a, b, rows, columns, inner, sign) => {
      if (rows > 0 && columns > 0 && inner > 0) product(address(a), address(b), address(c), rows, columns, inner, 8 * a.step, 8 * b.step, 8 * c.step, sign);
    },
  };
}

let made: Products | undefined;

/** The products of this process, compiled at the first call. */
export function products(): Products {
  if (made === undefined) {
    try {
      made = compiledProducts();
    } catch {
      made = loopProducts();
    }
  }
  return made;
}

const STRIP = 16;

/** `C += A Bᵀ` in strips of B that stay close to the processor; with `lower`, only on and below the diagonal. */
export function addProduct(c: Float64Array, a: Float64Array, b: Float64Array, rows: number, columns: number, inner: number, lower: boolean): void {
  for (let j = 0; j < columns; j += STRIP) {
    const first = lower ? j : 0;
    const to = { array: c, from: first * columns + j, step: columns };
    products().add(to, { array: a, from: first * inner, step: inner }, { array: b, from: j * inner, step: inner }, rows - first, Math.min(STRIP, columns - j), inner, 1);
  }
}
