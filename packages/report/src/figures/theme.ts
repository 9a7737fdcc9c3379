/* No quotes, so that the list survives in any attribute. */
const FONT = 'system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif';

export const INK = '#1f2933';
export const MUTED = '#52606d';
const GRID = '#e4e7eb';

/** Colours that colour-blind readers can tell apart, on white. */
export const OKABE_ITO = {
  blue: '#0072b2',
  orange: '#e69f00',
  green: '#009e73',
  purple: '#cc79a7',
  sky: '#56b4e9',
  vermilion: '#d55e00',
  grey: '#7b8794',
} as const;

const CATEGORIES = Object.values(OKABE_ITO);

/** Colour scale for `names`, in order: Okabe and Ito's palette while it lasts, then viridis. */
export const categoricalScale = (names: readonly string[]): object =>
  names.length <= CATEGORIES.length ? { domain: names, range: CATEGORIES.slice(0, names.length) } : { domain: names, scheme: 'viridis' };

/** Vega-Lite configuration shared by all figures. */
export const THEME = {
  background: '#ffffff',
  padding: 12,
  font: FONT,
  title: { fontSize: 17, fontWeight: 600, color: INK, subtitleColor: MUTED, subtitleFontSize: 13, subtitlePadding: 6, anchor: 'start', frame: 'bounds', offset: 14 },
  axis: {
    labelFontSize: 13,
    titleFontSize: 14,
    titleFontWeight: 500,
    labelColor: INK,
    titleColor: INK,
    labelLimit: 340,
    labelFlush: false,
    titlePadding: 10,
    gridColor: GRID,
    domainColor: MUTED,
    tickColor: MUTED,
  },
  legend: { labelFontSize: 13, titleFontSize: 13, titleFontWeight: 600, labelColor: INK, titleColor: INK, labelLimit: 420, symbolSize: 110, symbolOpacity: 1, rowPadding: 5 },
  view: { stroke: null },
} as const;
