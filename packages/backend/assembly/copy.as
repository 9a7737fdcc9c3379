import { copyFloats } from './floats';

/**
 * Copies between two layouts of the same `[n0, n1, n2, n3]` values of four bytes; every stride counts values. A stride of 0 in the source
 * repeats, a negative one reverses.
 */
export function copyStrided(
  from: usize, to: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  f0: i32, f1: i32, f2: i32, f3: i32, t0: i32, t1: i32, t2: i32, t3: i32,
): void {
  for (let i = 0; i < n0; i++) {
    for (let j = 0; j < n1; j++) {
      for (let k = 0; k < n2; k++) {
        let source = from + (<usize>(i * f0 + j * f1 + k * f2) << 2);
        let target = to + (<usize>(i * t0 + j * t1 + k * t2) << 2);
        if (f3 == 1 && t3 == 1) {
          if (n3 < 64) copyFloats(target, source, n3);
          else memory.copy(target, source, <usize>n3 << 2);
          continue;
        }
        for (let q = 0; q < n3; q++) {
          store<u32>(target, load<u32>(source));
          source += <usize>f3 << 2;
          target += <usize>t3 << 2;
        }
      }
    }
  }
}

/** `out[o, i] = x[o, indices[i]]` for blocks of `width` values of four bytes; indices must lie in `[0, size)`. */
export function gatherBlocks(x: usize, indices: usize, out: usize, outer: i32, size: i32, count: i32, width: i32): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      const from = x + (<usize>((o * size + load<i32>(indices + (<usize>i << 2))) * width) << 2);
      if (width < 64) copyFloats(out, from, width);
      else memory.copy(out, from, <usize>width << 2);
      out += <usize>width << 2;
    }
  }
}
