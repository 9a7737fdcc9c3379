import { copyFloats } from './floats';

/** `out[j, i] = x[i, j]`. */
export function transposeMatrix(x: usize, out: usize, rows: i32, columns: i32): void {
  const xStep = <usize>columns << 2;
  const outStep = <usize>rows << 2;
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    const xi = x + <usize>i * xStep;
    const outI = out + (<usize>i << 2);
    let j = 0;
    for (; j + 4 <= columns; j += 4) {
      const from = xi + (<usize>j << 2);
      const r0 = v128.load(from);
      const r1 = v128.load(from + xStep);
      const r2 = v128.load(from + 2 * xStep);
      const r3 = v128.load(from + 3 * xStep);
      const low01 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5);
      const high01 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7);
      const low23 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5);
      const high23 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
      const to = outI + <usize>j * outStep;
      v128.store(to, v128.shuffle<i64>(low01, low23, 0, 2));
      v128.store(to + outStep, v128.shuffle<i64>(low01, low23, 1, 3));
      v128.store(to + 2 * outStep, v128.shuffle<i64>(high01, high23, 0, 2));
      v128.store(to + 3 * outStep, v128.shuffle<i64>(high01, high23, 1, 3));
    }
    for (; j < columns; j++) {
      for (let r = 0; r < 4; r++) store<f32>(outI + <usize>j * outStep + (<usize>r << 2), load<f32>(xi + <usize>r * xStep + (<usize>j << 2)));
    }
  }
  for (; i < rows; i++) {
    for (let j = 0; j < columns; j++) store<f32>(out + <usize>j * outStep + (<usize>i << 2), load<f32>(x + <usize>i * xStep + (<usize>j << 2)));
  }
}

/** Writes `x[batch, rows, columns, channels]` to every `strideH`-th row and `strideW`-th column of `out[batch, h, w, channels]`, from (`top`, `left`) on. */
export function spread(
  x: usize, out: usize, batch: i32, rows: i32, columns: i32, channels: i32,
  h: i32, w: i32, top: i32, left: i32, strideH: i32, strideW: i32,
): void {
  const pixel = <usize>channels << 2;
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < rows; i++) {
      let to = out + <usize>((n * h + top + i * strideH) * w + left) * pixel;
      for (let j = 0; j < columns; j++) {
        copyFloats(to, x, channels);
        x += pixel;
        to += <usize>strideW * pixel;
      }
    }
  }
}
