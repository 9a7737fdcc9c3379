/**
 * Gradient of max pooling: each slope goes to the first largest value of its window. `x` and `dx` are `[batch, h, w, c]`, dx zero on entry;
 * `dy` is `[batch, oh, ow, c]`.
 */
export function maxPoolGradient(
  x: usize, dy: usize, dx: usize,
  batch: i32, h: i32, w: i32, c: i32, oh: i32, ow: i32, kh: i32, kw: i32,
  strideH: i32, strideW: i32, padTop: i32, padLeft: i32,
): void {
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < oh; row++) {
      for (let column = 0; column < ow; column++) {
        for (let q = 0; q < c; q++) {
          let largest: f32 = -Infinity;
          let found: usize = 0;
          let hit = false;
          for (let i = 0; i < kh; i++) {
            const y = row * strideH + i - padTop;
            if (y < 0 || y >= h) continue;
            for (let j = 0; j < kw; j++) {
              const z = column * strideW + j - padLeft;
              if (z < 0 || z >= w) continue;
              const at = <usize>(((n * h + y) * w + z) * c + q) << 2;
              const value = load<f32>(x + at);
              if (value > largest) {
                largest = value;
                found = at;
                hit = true;
              }
            }
          }
          if (hit) store<f32>(dx + found, load<f32>(dx + found) + load<f32>(dy));
          dy += 4;
        }
      }
    }
  }
}
