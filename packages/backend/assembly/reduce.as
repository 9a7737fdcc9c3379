/** Values that are added up in single precision before their sum goes on in double precision. */
const RUN = 128;

/** Adds the sums over the rows of `x[rows, width]`, `rows <= RUN`, to `totals[width]` in double precision. */
function addRun(x: usize, totals: usize, rows: i32, width: i32): void {
  const step = <usize>width << 2;
  let j = 0;
  for (; j + 8 <= width; j += 8) {
    let at = x + (<usize>j << 2);
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    for (let i = 0; i < rows; i++) {
      s0 = f32x4.add(s0, v128.load(at));
      s1 = f32x4.add(s1, v128.load(at, 16));
      at += step;
    }
    addDoubles(totals + (<usize>j << 3), s0);
    addDoubles(totals + (<usize>j << 3) + 32, s1);
  }
  for (; j < width; j++) {
    let at = x + (<usize>j << 2);
    let s: f32 = 0;
    for (let i = 0; i < rows; i++) {
      s += load<f32>(at);
      at += step;
    }
    const total = totals + (<usize>j << 3);
    store<f64>(total, load<f64>(total) + <f64>s);
  }
}

function addDoubles(totals: usize, sums: v128): void {
  v128.store(totals, f64x2.add(v128.load(totals), f64x2.promote_low_f32x4(sums)));
  v128.store(totals, f64x2.add(v128.load(totals, 16), f64x2.promote_low_f32x4(v128.shuffle<i64>(sums, sums, 1, 1))), 16);
}

/** Sum of `count` consecutive floats. */
function sumOf(x: usize, count: i32): f64 {
  let total: f64 = 0;
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
    total += <f64>s;
  }
  return total;
}

/** `out[outer, inner] = scale * sum over the middle of x[outer, reduced, inner]`; `totals` has room for `inner` doubles. */
export function sum(x: usize, out: usize, totals: usize, outer: i32, reduced: i32, inner: i32, scale: f64): void {
  for (let i = 0; i < outer; i++) {
    if (inner == 1) {
      store<f32>(out, <f32>(scale * sumOf(x, reduced)));
      x += <usize>reduced << 2;
      out += 4;
      continue;
    }
    memory.fill(totals, 0, <usize>inner << 3);
    for (let first = 0; first < reduced; first += RUN) {
      const rows = min(RUN, reduced - first);
      addRun(x, totals, rows, inner);
      x += <usize>(rows * inner) << 2;
    }
    for (let j = 0; j < inner; j++) {
      store<f32>(out, <f32>(scale * load<f64>(totals + (<usize>j << 3))));
      out += 4;
    }
  }
}
