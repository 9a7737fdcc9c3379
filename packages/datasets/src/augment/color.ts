// Images are row-major [H,W,C] in [0, 1], C = 3 or 1, changed in place. Formulas: torchvision 0.20, transforms/_functional_tensor.py.

const RED = 0.2989; // weights of ITU-R BT.601 as torchvision rounds them
const GREEN = 0.587;
const BLUE = 0.114;

const clamp = (value: number): number => Math.min(1, Math.max(0, value));
const grey = (image: Float32Array, at: number): number => RED * image[at]! + GREEN * image[at + 1]! + BLUE * image[at + 2]!;

/** `factor · x`. */
export function adjustBrightness(image: Float32Array, _channels: number, factor: number): void {
  for (let i = 0; i < image.length; i++) image[i] = clamp(factor * image[i]!);
}

/** Away from the mean grey value of the image, or towards it. */
export function adjustContrast(image: Float32Array, channels: number, factor: number): void {
  let total = 0;
  for (let at = 0; at < image.length; at += channels) total += channels === 3 ? grey(image, at) : image[at]!;
  const mean = (total * channels) / image.length;
  for (let i = 0; i < image.length; i++) image[i] = clamp(factor * image[i]! + (1 - factor) * mean);
}

/** Away from the grey value of each pixel, or towards it. */
export function adjustSaturation(image: Float32Array, channels: number, factor: number): void {
  if (channels !== 3) return;
  for (let at = 0; at < image.length; at += 3) {
    const level = (1 - factor) * grey(image, at);
    for (let c = at; c < at + 3; c++) image[c] = clamp(factor * image[c]! + level);
  }
}

/** Turns each pixel around the colour circle by `turn`, in HSV. */
export function adjustHue(image: Float32Array, channels: number, turn: number): void {
  if (channels !== 3) return;
  for (let at = 0; at < image.length; at += 3) {
    const red = image[at]!;
    const green = image[at + 1]!;
    const blue = image[at + 2]!;
    const value = Math.max(red, green, blue);
    const chroma = value - Math.min(red, green, blue);
    if (chroma === 0) continue;
    const sector = value === red ? (green - blue) / chroma : value === green ? 2 + (blue - red) / chroma : 4 + (red - green) / chroma;
    const hue = 6 * turn + sector;
    // Smith 1978, in the closed form: channel n is V - C · max(0, min(k, 4 - k, 1)) with k = (n + 6·hue) mod 6.
    for (const [c, n] of [5, 3, 1].entries()) {
      const k = (((n + hue) % 6) + 6) % 6;
      image[at + c] = clamp(value - chroma * Math.max(0, Math.min(k, 4 - k, 1)));
    }
  }
}
