export type { Figure } from './figures/figure.js';
export { escapeHtml } from './internal/escape.js';
export type { ReportContent, ReportSection } from './report/content.js';
export { type HtmlReportOptions, htmlReport } from './report/html-report.js';
export { markdownReport } from './report/markdown-report.js';
export { type Interval, wilsonInterval } from './statistics/wilson-interval.js';
export { count, duration, interval, percent } from './table/format.js';
export { type Column, type Table, type TableOptions, table } from './table/table.js';
export type { TextOptions } from './table/text.js';
