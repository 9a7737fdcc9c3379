import { describe, expect, it } from 'vitest';
import { createForecast } from './forecast.js';

describe('createForecast', () => {
  it('looks after doublings of the queries, the first of which decides nothing', () => {
    const forecast = createForecast(400, 1);
    expect(Array.from({ length: 401 }, (_, asked) => asked).filter((asked) => createForecast(400, 1).isDue(asked))).toEqual([20, 40, 80, 160, 320]);
    expect(forecast.isDue(20)).toBe(true);
    expect(forecast.hopeless(0, -1e9)).toBe(false);
  });

  it('gives up where six times the last rise, for each doubling that is left, does not reach zero', () => {
    const forecast = createForecast(400, 2);
    forecast.isDue(20);
    expect([forecast.hopeless(0, -10), forecast.hopeless(1, -10)]).toEqual([false, false]);
    forecast.isDue(40);
    // log2(400 / 40) = 3.32 doublings: -9.6 + 6 · 0.4 · 3.32 = -1.63, and -9.5 + 6 · 0.5 · 3.32 = 0.47.
    expect([forecast.hopeless(0, -9.6), forecast.hopeless(1, -9.5)]).toEqual([true, false]);
  });

  it('counts in doublings where few queries make looks uneven', () => {
    const forecast = createForecast(12, 1);
    forecast.isDue(3);
    forecast.hopeless(0, -10);
    forecast.isDue(5);
    // 0.737 doublings brought 0.5; 1.263 are left: -9.5 + 6 · 0.678 · 1.263 = -4.36.
    expect(forecast.hopeless(0, -9.5)).toBe(true);
  });
});
