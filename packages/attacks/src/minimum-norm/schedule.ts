/** Falls from `first` to `last` along half a cosine over `steps` steps. */
export const cosine = (first: number, last: number, step: number, steps: number): number => last + ((first - last) * (1 + Math.cos((Math.PI * step) / steps))) / 2;
