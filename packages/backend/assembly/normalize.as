/** `out = (x - mean) * factor + offset` over rows of length `width`. */
export function normalizeRows(x: usize, mean: usize, factor: usize, offset: usize, out: usize, rows: i32, width: i32): void {
  for (let i = 0; i < rows; i++) {
    let at: usize = 0;
    let q = 0;
    for (; q + 4 <= width; q += 4) {
      v128.store(out + at, f32x4.add(f32x4.mul(f32x4.sub(v128.load(x + at), v128.load(mean + at)), v128.load(factor + at)), v128.load(offset + at)));
      at += 16;
    }
    for (; q < width; q++) {
      store<f32>(out + at, (load<f32>(x + at) - load<f32>(mean + at)) * load<f32>(factor + at) + load<f32>(offset + at));
      at += 4;
    }
    x += at;
    out += at;
  }
}
