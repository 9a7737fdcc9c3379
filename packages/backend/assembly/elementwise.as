// Element-wise operations on float32 over four nested dimensions. A stride counts floats; 0 repeats (broadcasts) the value.

const enum Binary { Add, Subtract, Multiply, Divide, Maximum, Minimum, SquaredDifference }

@inline
function apply(op: Binary, a: v128, b: v128): v128 {
  if (op == Binary.Add) return f32x4.add(a, b);
  if (op == Binary.Subtract) return f32x4.sub(a, b);
  if (op == Binary.Multiply) return f32x4.mul(a, b);
  if (op == Binary.Divide) return f32x4.div(a, b);
  if (op == Binary.Maximum) return f32x4.max(a, b);
  if (op == Binary.Minimum) return f32x4.min(a, b);
  const difference = f32x4.sub(a, b);
  return f32x4.mul(difference, difference);
}

/** One run along the last dimension; `as` and `bs` are 0 or 1. */
@inline
function run(op: Binary, a: usize, b: usize, out: usize, count: i32, as: i32, bs: i32): void {
  const aStep = <usize>as << 4;
  const bStep = <usize>bs << 4;
  let q = 0;
  if (as == 1 && bs == 1) {
    for (; q + 4 <= count; q += 4) {
      v128.store(out, apply(op, v128.load(a), v128.load(b)));
      a += 16;
      b += 16;
      out += 16;
    }
  } else if (as == 1) {
    const value = v128.load32_splat(b);
    for (; q + 4 <= count; q += 4) {
      v128.store(out, apply(op, v128.load(a), value));
      a += 16;
      out += 16;
    }
  } else {
    const value = v128.load32_splat(a);
    for (; q + 4 <= count; q += 4) {
      v128.store(out, apply(op, value, bs == 1 ? v128.load(b) : v128.load32_splat(b)));
      b += bStep;
      out += 16;
    }
  }
  for (; q < count; q++) {
    store<f32>(out, f32x4.extract_lane(apply(op, v128.load32_splat(a), v128.load32_splat(b)), 0));
    a += aStep >> 2;
    b += bStep >> 2;
    out += 4;
  }
}

@inline
function loops(
  op: Binary, a: usize, b: usize, out: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  a0: i32, a1: i32, a2: i32, a3: i32, b0: i32, b1: i32, b2: i32, b3: i32,
): void {
  for (let i = 0; i < n0; i++) {
    for (let j = 0; j < n1; j++) {
      let ak = a + (<usize>(i * a0 + j * a1) << 2);
      let bk = b + (<usize>(i * b0 + j * b1) << 2);
      for (let k = 0; k < n2; k++) {
        run(op, ak, bk, out, n3, a3, b3);
        ak += <usize>a2 << 2;
        bk += <usize>b2 << 2;
        out += <usize>n3 << 2;
      }
    }
  }
}

/** `out[n0, n1, n2, n3] = a op b`. */
export function binary(
  op: Binary, a: usize, b: usize, out: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  a0: i32, a1: i32, a2: i32, a3: i32, b0: i32, b1: i32, b2: i32, b3: i32,
): void {
  switch (op) {
    case Binary.Add: return loops(Binary.Add, a, b, out, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3);
    case Binary.Subtract: return loops(Binary.Subtract, a, b, out, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3);
    case Binary.Multiply: return loops(Binary.Multiply, a, b, out, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3);
    case Binary.Divide: return loops(Binary.Divide, a, b, out, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3);
    case Binary.Maximum: return loops(Binary.Maximum, a, b, out, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3);
    case Binary.Minimum: return loops(Binary.Minimum, a, b, out, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3);
    default: return loops(Binary.SquaredDifference, a, b, out, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3);
  }
}

const enum Comparison { Equal, NotEqual, Greater, GreaterEqual, Less, LessEqual }

@inline
function holds(op: Comparison, a: f32, b: f32): bool {
  if (op == Comparison.Equal) return a == b;
  if (op == Comparison.NotEqual) return a != b;
  if (op == Comparison.Greater) return a > b;
  if (op == Comparison.GreaterEqual) return a >= b;
  if (op == Comparison.Less) return a < b;
  return a <= b;
}

@inline
function compareLoop(op: Comparison, a: usize, b: usize, out: usize, count: i32, aStep: usize, bStep: usize): void {
  for (let q = 0; q < count; q++) {
    store<u8>(out, holds(op, load<f32>(a), load<f32>(b)));
    a += aStep;
    b += bStep;
    out++;
  }
}

/** `out[q] = a[q] op b[q]` as bytes; a step of 0 floats repeats one value. */
export function compare(op: Comparison, a: usize, b: usize, out: usize, count: i32, aStep: i32, bStep: i32): void {
  const as = <usize>aStep << 2;
  const bs = <usize>bStep << 2;
  switch (op) {
    case Comparison.Equal: return compareLoop(Comparison.Equal, a, b, out, count, as, bs);
    case Comparison.NotEqual: return compareLoop(Comparison.NotEqual, a, b, out, count, as, bs);
    case Comparison.Greater: return compareLoop(Comparison.Greater, a, b, out, count, as, bs);
    case Comparison.GreaterEqual: return compareLoop(Comparison.GreaterEqual, a, b, out, count, as, bs);
    case Comparison.Less: return compareLoop(Comparison.Less, a, b, out, count, as, bs);
    default: return compareLoop(Comparison.LessEqual, a, b, out, count, as, bs);
  }
}

/** 1, 0 or -1; 0 for NaN. */
export function sign(x: usize, out: usize, count: i32): void {
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  let q = 0;
  for (; q + 4 <= count; q += 4) {
    const value = v128.load(x);
    v128.store(out, f32x4.sub(v128.and(f32x4.gt(value, zero), one), v128.and(f32x4.lt(value, zero), one)));
    x += 16;
    out += 16;
  }
  for (; q < count; q++) {
    const value = load<f32>(x);
    store<f32>(out, <f32>(value > 0) - <f32>(value < 0));
    x += 4;
    out += 4;
  }
}

/** Gradient of a ReLU with the slope `low` at and below 0: `dy[q]` where `y[q]` is above, else `low·dy[q]`. */
export function reluGradient(dy: usize, y: usize, out: usize, count: i32, low: f32): void {
  const zero = f32x4.splat(0);
  const lows = f32x4.splat(low);
  let q = 0;
  for (; q + 4 <= count; q += 4) {
    const slope = v128.load(dy);
    v128.store(out, v128.bitselect(slope, f32x4.mul(slope, lows), f32x4.gt(v128.load(y), zero)));
    dy += 16;
    y += 16;
    out += 16;
  }
  for (; q < count; q++) {
    const slope = load<f32>(dy);
    store<f32>(out, load<f32>(y) > 0 ? slope : low * slope);
    dy += 4;
    y += 4;
    out += 4;
  }
}

/** `x[q]` within `low` and `high`; NaN stays NaN. `pmin` and `pmax` keep their first argument then, in one instruction. */
export function clip(x: usize, out: usize, count: i32, low: f32, high: f32): void {
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  let q = 0;
  for (; q + 4 <= count; q += 4) {
    v128.store(out, f32x4.pmin(f32x4.pmax(v128.load(x), lows), highs));
    x += 16;
    out += 16;
  }
  for (; q < count; q++) {
    const value = load<f32>(x);
    store<f32>(out, value < low ? low : value > high ? high : value);
    x += 4;
    out += 4;
  }
}

/** `out[q] = condition[q] ? a[q] : b[q]`, four bytes each. */
export function select(condition: usize, a: usize, b: usize, out: usize, count: i32): void {
  for (let q = 0; q < count; q++) {
    store<u32>(out, load<u8>(condition) ? load<u32>(a) : load<u32>(b));
    condition++;
    a += 4;
    b += 4;
    out += 4;
  }
}
