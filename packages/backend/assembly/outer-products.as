// Sums of outer products, the heart of every filter gradient: out[i, j] += sum over n of a[n, i] * b[n, j].
// Tiles of 4 x 8 accumulators stay in registers; `aStep`, `bStep` and `outStep` are strides in bytes.

function tile4x8(a: usize, aStep: usize, b: usize, bStep: usize, n: i32, out: usize, outStep: usize): void {
  const out1 = out + outStep;
  const out2 = out1 + outStep;
  const out3 = out2 + outStep;
  let s00 = v128.load(out);
  let s01 = v128.load(out, 16);
  let s10 = v128.load(out1);
  let s11 = v128.load(out1, 16);
  let s20 = v128.load(out2);
  let s21 = v128.load(out2, 16);
  let s30 = v128.load(out3);
  let s31 = v128.load(out3, 16);
  for (; n > 0; n--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let ai = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(ai, b0));
    s01 = f32x4.add(s01, f32x4.mul(ai, b1));
    ai = v128.load32_splat(a, 4);
    s10 = f32x4.add(s10, f32x4.mul(ai, b0));
    s11 = f32x4.add(s11, f32x4.mul(ai, b1));
    ai = v128.load32_splat(a, 8);
    s20 = f32x4.add(s20, f32x4.mul(ai, b0));
    s21 = f32x4.add(s21, f32x4.mul(ai, b1));
    ai = v128.load32_splat(a, 12);
    s30 = f32x4.add(s30, f32x4.mul(ai, b0));
    s31 = f32x4.add(s31, f32x4.mul(ai, b1));
    a += aStep;
    b += bStep;
  }
  v128.store(out, s00);
  v128.store(out, s01, 16);
  v128.store(out1, s10);
  v128.store(out1, s11, 16);
  v128.store(out2, s20);
  v128.store(out2, s21, 16);
  v128.store(out3, s30);
  v128.store(out3, s31, 16);
}

function tile1x8(a: usize, aStep: usize, b: usize, bStep: usize, n: i32, out: usize): void {
  let s0 = v128.load(out);
  let s1 = v128.load(out, 16);
  for (; n > 0; n--) {
    const ai = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(ai, v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(ai, v128.load(b, 16)));
    a += aStep;
    b += bStep;
  }
  v128.store(out, s0);
  v128.store(out, s1, 16);
}

function tile1x4(a: usize, aStep: usize, b: usize, bStep: usize, n: i32, out: usize): void {
  let s = v128.load(out);
  for (; n > 0; n--) {
    s = f32x4.add(s, f32x4.mul(v128.load32_splat(a), v128.load(b)));
    a += aStep;
    b += bStep;
  }
  v128.store(out, s);
}

function tile1x1(a: usize, aStep: usize, b: usize, bStep: usize, n: i32, out: usize): void {
  let s = load<f32>(out);
  for (; n > 0; n--) {
    s += load<f32>(a) * load<f32>(b);
    a += aStep;
    b += bStep;
  }
  store<f32>(out, s);
}

/** Adds `n` outer products of rows of length `rows` and `columns` to `out[rows, columns]` (dense, row-major). */
export function addOuterProducts(a: usize, aStep: usize, b: usize, bStep: usize, n: i32, rows: i32, columns: i32, out: usize): void {
  const outStep = <usize>columns << 2;
  const wide = columns & ~7;
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    const ai = a + (<usize>i << 2);
    const outI = out + <usize>i * outStep;
    for (let j = 0; j < wide; j += 8) tile4x8(ai, aStep, b + (<usize>j << 2), bStep, n, outI + (<usize>j << 2), outStep);
  }
  for (; i < rows; i++) {
    const ai = a + (<usize>i << 2);
    const outI = out + <usize>i * outStep;
    for (let j = 0; j < wide; j += 8) tile1x8(ai, aStep, b + (<usize>j << 2), bStep, n, outI + (<usize>j << 2));
  }
  if (wide == columns) return;
  for (i = 0; i < rows; i++) {
    const ai = a + (<usize>i << 2);
    const outI = out + <usize>i * outStep;
    let j = wide;
    if (j + 4 <= columns) {
      tile1x4(ai, aStep, b + (<usize>j << 2), bStep, n, outI + (<usize>j << 2));
      j += 4;
    }
    for (; j < columns; j++) tile1x1(ai, aStep, b + (<usize>j << 2), bStep, n, outI + (<usize>j << 2));
  }
}
