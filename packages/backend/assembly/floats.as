/** Copies `count` floats; for short runs faster than `memory.copy`. */
export function copyFloats(to: usize, from: usize, count: i32): void {
  let q = 0;
  for (; q + 4 <= count; q += 4) {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  }
  for (; q < count; q++) {
    store<f32>(to, load<f32>(from));
    to += 4;
    from += 4;
  }
}

export function zeroFloats(to: usize, count: i32): void {
  memory.fill(to, 0, <usize>count << 2);
}
