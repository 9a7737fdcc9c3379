/** Style sheet of {@link htmlReport}: dark on light, narrow screens and paper included. Holds no `<` and no `&`. */
export const STYLE = `
:root { color-scheme: light; --ink: #1f2933; --muted: #52606d; --line: #cbd2d9; --soft: #f5f7fa; --mark: #fdf3e0; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: #fff; color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; }
h2 { margin: 0 0 .75rem; font-size: 1.35rem; line-height: 1.3; }
p { margin: 0 0 .75rem; max-width: 46rem; }
h1, h2, p, td, th, dd, figcaption { overflow-wrap: anywhere; }
.subtitle { margin-top: .5rem; color: var(--muted); font-size: 1.1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0 0; padding: 0; list-style: none; }
nav a { color: #005a8c; }
section, footer { margin-top: 2rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { padding-bottom: .5rem; color: var(--muted); text-align: left; }
th, td { padding: .4rem .9rem .4rem 0; text-align: left; vertical-align: top; }
td { white-space: nowrap; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
tbody tr { border-bottom: 1px solid #e4e7eb; }
tbody tr.group { border-top: 2px solid var(--line); }
tbody tr.highlight { background: var(--mark); font-weight: 600; }
figure { margin: 1rem 0; }
figure svg { display: block; max-width: 100%; height: auto; }
.grid th { padding-right: 1rem; font-weight: 600; vertical-align: middle; white-space: nowrap; }
.grid thead th { border-bottom: 0; text-align: center; vertical-align: bottom; }
.grid tbody tr { border-bottom: 0; }
.grid td { padding: .3rem; text-align: center; white-space: normal; }
.grid img { display: block; margin: 0 auto; border: 1px solid var(--line); image-rendering: pixelated; }
.grid span { display: block; margin-top: .2rem; color: var(--muted); font-size: .85rem; line-height: 1.25; }
.grid td span { max-width: 7.5rem; margin-inline: auto; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); gap: .35rem 2rem; margin: 0; }
dl div { display: flex; gap: .75rem; min-width: 0; }
dt { flex: 0 0 9rem; color: var(--muted); }
dd { flex: 1 1 auto; margin: 0; min-width: 0; }
@media screen and (max-width: 45rem) {
  figure { overflow-x: auto; }
  figure svg { max-width: none; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; }
  nav { display: none; }
  figure, tr, .grid { break-inside: avoid; }
  h2 { break-after: avoid; }
  .scroll { overflow: visible; }
}
`;
