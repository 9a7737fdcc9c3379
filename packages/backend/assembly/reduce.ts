/** Rows that are added up in single precision before the sum is passed on, so that rounding errors do not grow with the number of rows. */
const RUN = 128;

/** Adds `scale * sum over the rows of x[rows, width]` to `out[width]`. */
function addRows(x: usize, out: usize, rows: i32, width: i32, scale: f32): void {
  const step = <usize>width << 2;
  const scales = f32x4.splat(scale);
  for (let first = 0; first < rows; first += RUN) {
    const count = min(RUN, rows - first);
    const from = x + <usize>first * step;
    let j = 0;
    for (; j + 8 <= width; j += 8) {
      let at = from + (<usize>j << 2);
      let s0 = f32x4.splat(0);
      let s1 = f32x4.splat(0);
      for (let i = 0; i < count; i++) {
        s0 = f32x4.add(s0, v128.load(at));
        s1 = f32x4.add(s1, v128.load(at, 16));
        at += step;
      }
      const to = out + (<usize>j << 2);
      v128.store(to, f32x4.add(v128.load(to), f32x4.mul(s0, scales)));
      v128.store(to, f32x4.add(v128.load(to, 16), f32x4.mul(s1, scales)), 16);
    }
    for (; j < width; j++) {
      let at = from + (<usize>j << 2);
      let s: f32 = 0;
      for (let i = 0; i < count; i++) {
        s += load<f32>(at);
        at += step;
      }
      const to = out + (<usize>j << 2);
      store<f32>(to, load<f32>(to) + scale * s);
    }
  }
}

/** Sum of `count` consecutive floats, in runs. */
function sumRun(x: usize, count: i32): f32 {
  let total: f32 = 0;
  while (count > 0) {
    let n = min(16 * RUN, count);
    count -= n;
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    for (; n >= 16; n -= 16) {
      s0 = f32x4.add(s0, v128.load(x));
      s1 = f32x4.add(s1, v128.load(x, 16));
      s2 = f32x4.add(s2, v128.load(x, 32));
      s3 = f32x4.add(s3, v128.load(x, 48));
      x += 64;
    }
    s0 = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
    let s = (f32x4.extract_lane(s0, 0) + f32x4.extract_lane(s0, 1)) + (f32x4.extract_lane(s0, 2) + f32x4.extract_lane(s0, 3));
    for (; n > 0; n--) {
      s += load<f32>(x);
      x += 4;
    }
    total += s;
  }
  return total;
}

/** `out[outer, inner] = scale * sum over the middle of x[outer, reduced, inner]`; `out` must be zero on entry. */
export function sum(x: usize, out: usize, outer: i32, reduced: i32, inner: i32, scale: f32): void {
  const block = <usize>(reduced * inner) << 2;
  for (let i = 0; i < outer; i++) {
    const from = x + <usize>i * block;
    if (inner == 1) store<f32>(out + (<usize>i << 2), scale * sumRun(from, reduced));
    else addRows(from, out + (<usize>(i * inner) << 2), reduced, inner, scale);
  }
}
