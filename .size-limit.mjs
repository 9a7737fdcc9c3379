// Budgets of the built packages, tfjs and the other packages not counted.
const ignore = ['@tensorflow/*', '@moe/*', 'vega', 'vega-lite', 'vitest', 'node:*'];
const budget = (name, limit, entry = 'index') => ({ name: `@moe/${name}${entry === 'index' ? '' : `/${entry}`}`, path: `packages/${name}/dist/${entry}.js`, limit, ignore });

export default [
  budget('core', '6 kB'),
  budget('backend', '16 kB'),
  budget('datasets', '16 kB'),
  budget('router', '20 kB'),
  budget('layers', '14 kB'),
  budget('attacks', '14 kB'),
  budget('adv-train', '14 kB'),
  budget('lipschitz', '14 kB'),
  budget('report', '30 kB'),
];
