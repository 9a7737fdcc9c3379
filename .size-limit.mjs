// Budgets of the built packages, tfjs and the other packages not counted.
const ignore = ['@tensorflow/*', '@moe/*', 'vega', 'vega-lite', 'vitest', 'node:*'];
const budget = (name, limit, entry = 'index') => ({ name: `@moe/${name}${entry === 'index' ? '' : `/${entry}`}`, path: `packages/${name}/dist/${entry}.js`, limit, ignore });

export default [
  budget('core', '6 kB'),
  // A third of it is the compiled kernels; the rest, gradients and kernels for every operation of tfjs.
  budget('backend', '20 kB'),
  budget('datasets', '16 kB'),
  budget('router', '20 kB'),
  budget('layers', '22 kB'),
  budget('attacks', '40 kB'),
  budget('adv-train', '20 kB'),
  // Bounds, certificates on them, and layers to be certified: families that are used one at a time, and shaken out where they are not.
  budget('lipschitz', '38 kB'),
  budget('report', '30 kB'),
];
