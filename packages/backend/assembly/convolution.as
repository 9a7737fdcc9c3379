import { addOuterProducts } from './outer-products';

// Shapes: x [batch, h, w, ci], dy [batch, oh, ow, co], filters [kh, kw, ci, co] or depthwise [kh, kw, c, m]. All float32, dense, channels last.

/** First output column that reads inside a row of `size` inputs, for a tap at `shift = tap * dilation - padding`. */
export function firstInside(shift: i32, stride: i32): i32 {
  return shift >= 0 ? 0 : (stride - 1 - shift) / stride;
}

/** One past the last output column that reads inside, see `firstInside`. */
export function endInside(shift: i32, stride: i32, size: i32, outSize: i32): i32 {
  const reach = size - 1 - shift;
  return reach < 0 ? 0 : min(outSize, reach / stride + 1);
}

/** Filter gradient of a convolution: `dw` must be zero on entry. */
export function conv2dFilterGradient(
  x: usize, dy: usize, dw: usize,
  batch: i32, h: i32, w: i32, ci: i32, oh: i32, ow: i32, co: i32, kh: i32, kw: i32,
  strideH: i32, strideW: i32, dilationH: i32, dilationW: i32, padTop: i32, padLeft: i32,
): void {
  const xPixel = <usize>ci << 2;
  const dyPixel = <usize>co << 2;
  const xRow = <usize>w * xPixel;
  const dyRow = <usize>ow * dyPixel;
  const tapSize = <usize>ci * dyPixel;
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < oh; row++) {
      const dyAt = dy + <usize>(n * oh + row) * dyRow;
      for (let i = 0; i < kh; i++) {
        const y = row * strideH + i * dilationH - padTop;
        if (y < 0 || y >= h) continue;
        const xAt = x + <usize>(n * h + y) * xRow;
        for (let j = 0; j < kw; j++) {
          const shift = j * dilationW - padLeft;
          const first = firstInside(shift, strideW);
          const count = endInside(shift, strideW, w, ow) - first;
          if (count <= 0) continue;
          addOuterProducts(
            xAt + <usize>(first * strideW + shift) * xPixel, <usize>strideW * xPixel,
            dyAt + <usize>first * dyPixel, dyPixel,
            count, ci, co, dw + <usize>(i * kw + j) * tapSize,
          );
        }
      }
    }
  }
}

/** `out[q] += a[q] * b[q]` over `count` floats. */
function multiplyAdd(a: usize, b: usize, out: usize, count: i32): void {
  let q = 0;
  for (; q + 4 <= count; q += 4) {
    v128.store(out, f32x4.add(v128.load(out), f32x4.mul(v128.load(a), v128.load(b))));
    a += 16;
    b += 16;
    out += 16;
  }
  for (; q < count; q++) {
    store<f32>(out, load<f32>(out) + load<f32>(a) * load<f32>(b));
    a += 4;
    b += 4;
    out += 4;
  }
}

/** Both gradients of a depthwise convolution with `m` outputs a channel: into `dx` if it is not 0, into `dw` if it is not 0; zero on entry. */
export function depthwiseGradients(
  x: usize, dy: usize, filter: usize, dx: usize, dw: usize,
  batch: i32, h: i32, w: i32, c: i32, m: i32, oh: i32, ow: i32, kh: i32, kw: i32,
  strideH: i32, strideW: i32, dilationH: i32, dilationW: i32, padTop: i32, padLeft: i32,
): void {
  const xPixel = <usize>c << 2;
  const dyPixel = <usize>(c * m) << 2;
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < oh; row++) {
      for (let i = 0; i < kh; i++) {
        const y = row * strideH + i * dilationH - padTop;
        if (y < 0 || y >= h) continue;
        for (let j = 0; j < kw; j++) {
          const shift = j * dilationW - padLeft;
          const end = endInside(shift, strideW, w, ow);
          const tap = <usize>(i * kw + j) * dyPixel;
          for (let column = firstInside(shift, strideW); column < end; column++) {
            const xOffset = <usize>((n * h + y) * w + column * strideW + shift) * xPixel;
            const dyAt = dy + <usize>((n * oh + row) * ow + column) * dyPixel;
            if (m == 1) {
              if (dx) multiplyAdd(dyAt, filter + tap, dx + xOffset, c);
              if (dw) multiplyAdd(dyAt, x + xOffset, dw + tap, c);
              continue;
            }
            for (let q = 0; q < c; q++) {
              const at = <usize>q << 2;
              for (let r = 0; r < m; r++) {
                const deep = <usize>(q * m + r) << 2;
                const slope = load<f32>(dyAt + deep);
                if (dx) store<f32>(dx + xOffset + at, load<f32>(dx + xOffset + at) + slope * load<f32>(filter + tap + deep));
                if (dw) store<f32>(dw + tap + deep, load<f32>(dw + tap + deep) + slope * load<f32>(x + xOffset + at));
              }
            }
          }
        }
      }
    }
  }
}
