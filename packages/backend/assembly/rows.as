import { addOuterProducts } from './outer-products';

/** `out[i, j] = sum over n of a[n, i] * b[n, j]`, the product with a transposed first factor; `out` must be zero on entry. */
export function transposedProduct(a: usize, b: usize, out: usize, n: i32, rows: i32, columns: i32): void {
  // Runs of 64 keep both factors in the cache while all tiles pass over them.
  for (let at = 0; at < n; at += 64) {
    addOuterProducts(
      a + (<usize>(at * rows) << 2), <usize>rows << 2,
      b + (<usize>(at * columns) << 2), <usize>columns << 2,
      min(64, n - at), rows, columns, out,
    );
  }
}

/** Adds every row of `x[n, width]` to the row of `out` that `segments[n]` names; rows named outside `[0, numSegments)` are dropped. */
export function addToSegments(x: usize, segments: usize, out: usize, n: i32, width: i32, numSegments: i32): void {
  for (let i = 0; i < n; i++) {
    const segment = load<i32>(segments + (<usize>i << 2));
    if (segment < 0 || segment >= numSegments) continue;
    let from = x + (<usize>(i * width) << 2);
    let to = out + (<usize>(segment * width) << 2);
    let q = 0;
    for (; q + 4 <= width; q += 4) {
      v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
      from += 16;
      to += 16;
    }
    for (; q < width; q++) {
      store<f32>(to, load<f32>(to) + load<f32>(from));
      from += 4;
      to += 4;
    }
  }
}
