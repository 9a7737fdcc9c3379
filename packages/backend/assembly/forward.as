import { copyFloats, zeroFloats } from './floats';

// Convolution as products of tiles of pixels and eight filters. Every pixel's receptive field is a few runs of consecutive floats
// ("segments", the rows of the kernel), and the filter [kh, kw, ci, co] holds the matching runs of rows of length co.

/** Four pixels, eight filters: the accumulators and what is read just fit the sixteen registers of x86; a wider tile or an unrolled loop is slower. */
function pixels4x8(x0: usize, x1: usize, x2: usize, x3: usize, w: usize, segments: i32, xSegment: usize, length: i32, out: usize, outStep: usize): void {
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s30 = f32x4.splat(0);
  let s31 = f32x4.splat(0);
  const skip = xSegment - (<usize>length << 2);
  for (; segments > 0; segments--) {
    for (let q = length; q > 0; q--) {
      const w0 = v128.load(w);
      const w1 = v128.load(w, 16);
      let xi = v128.load32_splat(x0);
      s00 = f32x4.add(s00, f32x4.mul(xi, w0));
      s01 = f32x4.add(s01, f32x4.mul(xi, w1));
      xi = v128.load32_splat(x1);
      s10 = f32x4.add(s10, f32x4.mul(xi, w0));
      s11 = f32x4.add(s11, f32x4.mul(xi, w1));
      xi = v128.load32_splat(x2);
      s20 = f32x4.add(s20, f32x4.mul(xi, w0));
      s21 = f32x4.add(s21, f32x4.mul(xi, w1));
      xi = v128.load32_splat(x3);
      s30 = f32x4.add(s30, f32x4.mul(xi, w0));
      s31 = f32x4.add(s31, f32x4.mul(xi, w1));
      x0 += 4;
      x1 += 4;
      x2 += 4;
      x3 += 4;
      w += 32;
    }
    x0 += skip;
    x1 += skip;
    x2 += skip;
    x3 += skip;
  }
  v128.store(out, s00);
  v128.store(out, s01, 16);
  out += outStep;
  v128.store(out, s10);
  v128.store(out, s11, 16);
  out += outStep;
  v128.store(out, s20);
  v128.store(out, s21, 16);
  out += outStep;
  v128.store(out, s30);
  v128.store(out, s31, 16);
}

function pixels1x8(x: usize, w: usize, segments: i32, xSegment: usize, length: i32, out: usize): void {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  const skip = xSegment - (<usize>length << 2);
  for (; segments > 0; segments--) {
    for (let q = length; q > 0; q--) {
      const xi = v128.load32_splat(x);
      s0 = f32x4.add(s0, f32x4.mul(xi, v128.load(w)));
      s1 = f32x4.add(s1, f32x4.mul(xi, v128.load(w, 16)));
      x += 4;
      w += 32;
    }
    x += skip;
  }
  v128.store(out, s0);
  v128.store(out, s1, 16);
}

/** Sum of products of the receptive field of one pixel with one filter, whose floats are consecutive. */
function pixel1x1(x: usize, w: usize, segments: i32, xSegment: usize, length: i32): f32 {
  let sums = f32x4.splat(0);
  let sum: f32 = 0;
  for (; segments > 0; segments--) {
    let q = 0;
    let at = x;
    for (; q + 4 <= length; q += 4) {
      sums = f32x4.add(sums, f32x4.mul(v128.load(at), v128.load(w)));
      at += 16;
      w += 16;
    }
    for (; q < length; q++) {
      sum += load<f32>(at) * load<f32>(w);
      at += 4;
      w += 4;
    }
    x += xSegment;
  }
  return sum + f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3);
}

/** `[rows, columns]` of a matrix whose rows are `stride` floats apart, each filled up with zeros to `wide`. */
function packColumns(from: usize, to: usize, rows: i32, stride: i32, columns: i32, wide: i32): void {
  for (let k = 0; k < rows; k++) {
    copyFloats(to, from, columns);
    if (wide > columns) zeroFloats(to + (<usize>columns << 2), wide - columns);
    from += <usize>stride << 2;
    to += <usize>wide << 2;
  }
}

/** As `packColumns` for all taps of a filter; zeros stand between the taps of a row if they are dilated. */
function packTaps(filter: usize, to: usize, kh: i32, kw: i32, ci: i32, co: i32, dilationW: i32, columns: i32, wide: i32): void {
  const tap = <usize>(ci * co) << 2;
  const packedTap = ci * wide;
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      packColumns(filter, to, ci, co, columns, wide);
      filter += tap;
      to += <usize>packedTap << 2;
      if (j + 1 == kw) break;
      zeroFloats(to, (dilationW - 1) * packedTap);
      to += <usize>((dilationW - 1) * packedTap) << 2;
    }
  }
}

/** The filter in the order in which the tiles read it: eight outputs at a time, the last few (`< 4`) one at a time. */
function packFilter(filter: usize, packed: usize, kh: i32, kw: i32, ci: i32, co: i32, dilationW: i32, depth: i32): void {
  let j = 0;
  for (; j + 4 <= co; j += 8) {
    packTaps(filter + (<usize>j << 2), packed, kh, kw, ci, co, dilationW, min(8, co - j), 8);
    packed += <usize>depth << 5;
  }
  for (; j < co; j++) {
    packTaps(filter + (<usize>j << 2), packed, kh, kw, ci, co, dilationW, 1, 1);
    packed += <usize>depth << 2;
  }
}

/** Copies an image into the middle of `[hp, wp]` zeros; a negative padding cuts. */
function padImage(x: usize, out: usize, h: i32, w: i32, channels: i32, hp: i32, wp: i32, padTop: i32, padLeft: i32): void {
  const first = max(0, padLeft);
  const from = max(0, -padLeft);
  const count = max(0, min(w - from, wp - first));
  for (let row = 0; row < hp; row++) {
    const y = row - padTop;
    if (y < 0 || y >= h || count == 0) {
      zeroFloats(out, wp * channels);
    } else {
      zeroFloats(out, first * channels);
      memory.copy(out + (<usize>(first * channels) << 2), x + (<usize>((y * w + from) * channels) << 2), <usize>(count * channels) << 2);
      zeroFloats(out + (<usize>((first + count) * channels) << 2), (wp - first - count) * channels);
    }
    out += <usize>(wp * channels) << 2;
  }
}

/**
 * Convolution `[batch, h, w, ci] → [batch, oh, ow, co]`.
 *
 * `packed` has room for the filter, rounded up to eight outputs and with zeros between dilated columns, and 64 floats more; `padded` holds `group` images of `[hp, wp, ci]`, or is 0 where
 * x itself is that size. Images of a group share one pass over the filter.
 */
export function conv2d(
  x: usize, filter: usize, out: usize, packed: usize, padded: usize, group: i32,
  batch: i32, h: i32, w: i32, ci: i32, oh: i32, ow: i32, co: i32, kh: i32, kw: i32,
  strideH: i32, strideW: i32, dilationH: i32, dilationW: i32, padTop: i32, padLeft: i32, hp: i32, wp: i32,
): void {
  const length = ((kw - 1) * dilationW + 1) * ci;
  const depth = kh * length;
  packFilter(filter, packed, kh, kw, ci, co, dilationW, depth);
  const imageBytes = <usize>(h * w * ci) << 2;
  const paddedBytes = padded ? <usize>(hp * wp * ci) << 2 : imageBytes;
  const rowBytes = <usize>((padded ? wp : w) * ci) << 2;
  const segment = <usize>dilationH * rowBytes;
  const step = <usize>(strideW * ci) << 2;
  const rowSkip = <usize>strideH * rowBytes - <usize>ow * step;
  const outPixel = <usize>co << 2;
  const pixels = oh * ow;
  const scratch = packed + (<usize>(((co + 7) & ~7) * depth) << 2);
  for (let n = 0; n < batch; n += group) {
    const images = min(group, batch - n);
    const source = padded ? padded : x + <usize>n * imageBytes;
    if (padded) for (let i = 0; i < images; i++) padImage(x + <usize>(n + i) * imageBytes, padded + <usize>i * paddedBytes, h, w, ci, hp, wp, padTop, padLeft);
    let taps = packed;
    let j = 0;
    for (; j + 4 <= co; j += 8) {
      const width = min(8, co - j);
      for (let i = 0; i < images; i++) {
        let at = source + <usize>i * paddedBytes;
        let to = out + <usize>((n + i) * pixels) * outPixel + (<usize>j << 2);
        let column = 0;
        let p = 0;
        for (; p + 4 <= pixels; p += 4) {
          const x0 = at;
          column++;
          at += step;
          if (column == ow) {
            column = 0;
            at += rowSkip;
          }
          const x1 = at;
          column++;
          at += step;
          if (column == ow) {
            column = 0;
            at += rowSkip;
          }
          const x2 = at;
          column++;
          at += step;
          if (column == ow) {
            column = 0;
            at += rowSkip;
          }
          const x3 = at;
          column++;
          at += step;
          if (column == ow) {
            column = 0;
            at += rowSkip;
          }
          if (width == 8) {
            pixels4x8(x0, x1, x2, x3, taps, kh, segment, length, to, outPixel);
            to += 4 * outPixel;
          } else {
            pixels4x8(x0, x1, x2, x3, taps, kh, segment, length, scratch, 32);
            for (let q = 0; q < 4; q++) {
              copyFloats(to, scratch + (<usize>q << 5), width);
              to += outPixel;
            }
          }
        }
        for (; p < pixels; p++) {
          pixels1x8(at, taps, kh, segment, length, scratch);
          copyFloats(to, scratch, width);
          to += outPixel;
          column++;
          at += step;
          if (column == ow) {
            column = 0;
            at += rowSkip;
          }
        }
      }
      taps += <usize>depth << 5;
    }
    for (; j < co; j++) {
      for (let i = 0; i < images; i++) {
        let at = source + <usize>i * paddedBytes;
        let to = out + <usize>((n + i) * pixels) * outPixel + (<usize>j << 2);
        for (let row = 0; row < oh; row++) {
          for (let column = 0; column < ow; column++) {
            store<f32>(to, pixel1x1(at, taps, kh, segment, length));
            to += outPixel;
            at += step;
          }
          at += rowSkip;
        }
      }
      taps += <usize>depth << 2;
    }
  }
}
