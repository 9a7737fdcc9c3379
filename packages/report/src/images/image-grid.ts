import { expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { escapeHtml, oneLine } from '../internal/escape.js';
import { encodePng } from './encode-png.js';
import { type PixelImage, expectImage, toBytes } from './image.js';

export interface GridImage extends PixelImage {
  /** Below the image; two lines may be parted by a line feed. */
  readonly caption?: string;
}

export interface ImageGridOptions {
  /** All rows have as many images as the longest, or end early. */
  readonly rows: readonly { readonly label: string; readonly images: readonly GridImage[] }[];
  /** Headings of the columns. @defaultValue none */
  readonly columns?: readonly string[];
  /** Sizes an image pixel on the screen, whole number. @defaultValue as many as make the first image about 84 wide */
  readonly scale?: number;
  /** Floats that are black and white. @defaultValue `[0, 1]` */
  readonly bounds?: readonly [number, number];
}

const TARGET_WIDTH = 84;
const LARGEST_SCALE = 64;

/**
 * Images in labelled rows, as an HTML table with the pixels inside, enlarged without smoothing.
 *
 * @returns Markup for `html` of a {@link ReportSection}; labels and captions are escaped.
 * @throws {@link ArgumentError} if there is no image, sizes disagree, or a float is NaN or out of bounds.
 *
 * @example
 * ```ts
 * import { imageGrid } from '@moe/report';
 *
 * const html = imageGrid({ rows: [{ label: 'clean', images: [{ data: Float32Array.of(0, 1), height: 1, width: 2, channels: 1 }] }] });
 * console.log(html.includes('data:image/png;base64,')); // true
 * ```
 */
export function imageGrid(options: ImageGridOptions): string {
  expectKnownKeys('imageGrid', options, ['rows', 'columns', 'scale', 'bounds']);
  const { rows, columns, bounds = [0, 1] } = options;
  const first = rows.find(({ images }) => images.length > 0)?.images[0];
  expectArgument('imageGrid', 'rows', first !== undefined, 'hold at least one image', rows.length);
  const { scale = Math.min(LARGEST_SCALE, Math.max(1, Math.round(TARGET_WIDTH / first.width))) } = options;
  expectInteger('imageGrid', 'scale', scale, 1, LARGEST_SCALE);
  expectNumber('imageGrid', 'bounds[0]', bounds[0]);
  expectNumber('imageGrid', 'bounds[1]', bounds[1]);
  expectArgument('imageGrid', 'bounds', bounds[0] < bounds[1], 'be increasing', bounds);
  const length = Math.max(...rows.map(({ images }) => images.length));
  if (columns !== undefined) expectArgument('imageGrid', 'columns', columns.length === length, `name each of the ${length} columns`, columns.length);

  const head = columns === undefined ? '' : `<thead><tr><td></td>${columns.map((name) => `<th scope="col">${lines(name)}</th>`).join('')}</tr></thead>\n`;
  const body = rows.map(({ label, images }, r) => {
    const cells = images.map((image, c) => cell(`rows[${r}].images[${c}]`, `${label}, ${columns?.[c] ?? `image ${c + 1}`}`, image, scale, bounds));
    return `<tr><th scope="row">${lines(label)}</th>${cells.join('')}</tr>`;
  });
  return `<div class="scroll"><table class="grid">\n${head}<tbody>\n${body.join('\n')}\n</tbody></table></div>`;
}

function cell(name: string, description: string, image: GridImage, scale: number, bounds: readonly [number, number]): string {
  expectImage('imageGrid', name, image, ['caption']);
  const { height, width, channels, caption } = image;
  const url = `data:image/png;base64,${base64(encodePng({ data: toBytes('imageGrid', name, image, bounds), height, width, channels }))}`;
  const alt = oneLine(caption === undefined ? description : `${description}: ${caption}`);
  // The style is repeated here so that the fragment also works outside of a report.
  const picture = `<img src="${url}" width="${width * scale}" height="${height * scale}" style="image-rendering:pixelated" alt="${escapeHtml(alt)}" />`;
  return `<td>${picture}${caption === undefined ? '' : `<span>${lines(caption)}</span>`}</td>`;
}

const lines = (text: string): string => escapeHtml(text).replaceAll('\n', '<br />');

function base64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
