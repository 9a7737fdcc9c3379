// Of all queries; each is twice the one before.
const LOOKS = [0.05, 0.1, 0.2, 0.4, 0.8];
/** A row is given up if it would fail even by rising so many times as fast as of late. */
const HOPE = 6;

/** Tells which rows of a random search are not worth the queries that are left. */
export interface Forecast {
  /** Whether the margins after so many queries are to be shown to {@link Forecast.hopeless}, row by row, before the next such number. */
  isDue(asked: number): boolean;
  /** Whether a row, whose best margin is given, is to be given up. */
  hopeless(row: number, margin: number): boolean;
}

/**
 * Forecasts by the rise of a row's best margin, which in a random search is about the same for each doubling of the queries, or slows down.
 *
 * @param queries - of the whole search.
 */
export function createForecast(queries: number, rows: number): Forecast {
  const looks = new Set(LOOKS.map((share) => Math.ceil(share * queries)));
  const before = new Float64Array(rows).fill(NaN);
  let [now, then] = [0, 0];
  return {
    isDue(asked) {
      if (!looks.has(asked)) return false;
      [then, now] = [now, asked];
      return true;
    },
    hopeless(row, margin) {
      const rise = (margin - before[row]!) / Math.log2(now / then);
      before[row] = margin;
      return margin + HOPE * rise * Math.log2(queries / now) < 0;
    },
  };
}
