import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostileText, printable } from '../internal/hostile-text-in-tests.js';
import { elements, parseXml, textOf } from '../internal/xml-in-tests.js';
import { encodePng } from './encode-png.js';
import type { PixelImage } from './image.js';
import { imageGrid } from './image-grid.js';
import { perturbationView } from './perturbation-view.js';

/** Reads a PNG by the book: signature, chunks with their check sums, unfiltered lines. */
function decodePng(file: Uint8Array) {
  expect([...file.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const chunks: { type: string; data: Uint8Array; crc: number }[] = [];
  for (let at = 8; at < file.length; ) {
    const length = view.getUint32(at);
    chunks.push({ type: String.fromCharCode(...file.subarray(at + 4, at + 8)), data: file.subarray(at + 8, at + 8 + length), crc: view.getUint32(at + 8 + length) });
    at += 12 + length;
  }
  expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'IDAT', 'IEND']);
  const header = new DataView(chunks[0]!.data.buffer, chunks[0]!.data.byteOffset);
  const [width, height, depth, color] = [header.getUint32(0), header.getUint32(4), header.getUint8(8), header.getUint8(9)];
  expect([depth, header.getUint8(10), header.getUint8(11), header.getUint8(12)]).toEqual([8, 0, 0, 0]);
  const channels = color === 2 ? 3 : 1;
  const lines = inflateSync(chunks[1]!.data);
  const data = Array.from({ length: height }, (_, y) => {
    const line = lines.subarray(y * (width * channels + 1), (y + 1) * (width * channels + 1));
    expect(line[0]).toBe(0);
    return [...line.subarray(1)];
  }).flat();
  return { width, height, channels, data, crc: chunks.map(({ crc }) => crc) };
}

const grey = (values: number[]): PixelImage => ({ data: Float32Array.from(values), height: 1, width: values.length, channels: 1 });
const dataUrls = (html: string) => elements(parseXml(html), 'img').map(({ attributes }) => attributes['src']!.replace('data:image/png;base64,', ''));
const decodeUrl = (url: string) => decodePng(Uint8Array.from(Buffer.from(url, 'base64')));

describe('encodePng', () => {
  it('writes the check sums of the standard', () => {
    // CRC-32 of "IEND" is AE 42 60 82 in every PNG file; that of the header of a 1 × 1 grey image is 3A 7E 9B 55
    const { crc } = decodePng(encodePng({ data: Uint8Array.of(0), height: 1, width: 1, channels: 1 }));
    expect([crc[0], crc[2]]).toEqual([0x3a7e9b55, 0xae426082]);
  });

  it('keeps every pixel, grey and RGB', () => {
    const image = fc.record({ height: fc.integer({ min: 1, max: 9 }), width: fc.integer({ min: 1, max: 9 }), channels: fc.constantFrom(1, 3) }).chain((size) => {
      const length = size.height * size.width * size.channels;
      return fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ ...size, data: Uint8Array.from(data) }));
    });
    fc.assert(
      fc.property(image, ({ data, ...size }) => {
        expect(decodePng(encodePng({ data, ...size }))).toMatchObject({ ...size, data: [...data] });
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('names what is wrong', () => {
    expect(() => encodePng({ data: new Uint8Array(5), height: 2, width: 2, channels: 1 })).toThrow('encodePng: image.data must hold height × width × channels = 4 numbers, got 5.');
    expect(() => encodePng({ data: new Uint8Array(4), height: 1, width: 1, channels: 4 })).toThrow('encodePng: image.channels must be one of 1, 3, got 4.');
    expect(() => encodePng({ data: new Float32Array(1), height: 1, width: 1, channels: 1 })).toThrow("image.data must be a Uint8Array, got 'Float32Array'. Scale to 0 … 255 first.");
    expect(() => encodePng({ data: new Uint8Array(0), height: 0, width: 1, channels: 1 })).toThrow('image.height');
  });
});

describe('imageGrid', () => {
  it('scales floats from their bounds, rounds, and keeps bytes', () => {
    const bytes: PixelImage = { data: Uint8Array.of(7, 8, 9), height: 1, width: 1, channels: 3 };
    const html = imageGrid({ rows: [{ label: 'a', images: [grey([-1, 0, 1, 1 + 1e-5]), bytes] }], bounds: [-1, 1] });
    expect(dataUrls(html).map((url) => decodeUrl(url).data)).toEqual([[0, 128, 255, 255], [7, 8, 9]]);
  });

  it('enlarges without smoothing, and lines up rows and columns', () => {
    const html = imageGrid({ rows: [{ label: 'clean', images: [grey([0, 1]), grey([1, 0])] }, { label: 'adversarial', images: [grey([0, 1])] }], columns: ['Bag', 'Coat'], scale: 10 });
    const root = parseXml(html);
    expect(elements(root, 'th').map(textOf)).toEqual(['Bag', 'Coat', 'clean', 'adversarial']);
    expect(elements(root, 'img').map(({ attributes }) => attributes['alt'])).toEqual(['clean, Bag', 'clean, Coat', 'adversarial, Bag']);
    expect(elements(root, 'img')[0]!.attributes).toMatchObject({ width: '20', height: '10', style: 'image-rendering:pixelated' });
  });

  it('shows any label literally', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const root = parseXml(imageGrid({ rows: [{ label: text, images: [{ ...grey([0]), caption: text }] }], columns: [text] }));
        const names = elements(root).map(({ name }) => name).filter((name) => name !== 'br');
        expect(names).toEqual(['div', 'table', 'thead', 'tr', 'td', 'th', 'tbody', 'tr', 'th', 'td', 'img', 'span']);
        expect(Object.keys(elements(root, 'img')[0]!.attributes)).toEqual(['src', 'width', 'height', 'style', 'alt']);
        if (!/\s/.test(text)) expect(textOf(elements(root, 'span')[0]!)).toBe(printable(text));
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('names what is wrong', () => {
    const rows = (...values: number[]) => ({ rows: [{ label: 'a', images: [grey(values)] }] });
    expect(() => imageGrid(rows(0, Number.NaN))).toThrow('imageGrid: rows[0].images[0].data[1] must lie in bounds [0, 1], got NaN. Pass the bounds of your images.');
    expect(() => imageGrid(rows(255))).toThrow('got 255');
    expect(() => imageGrid({ rows: [] })).toThrow('imageGrid: rows must hold at least one image, got 0.');
    expect(() => imageGrid({ ...rows(0), columns: ['a', 'b'] })).toThrow('imageGrid: columns must name each of the 1 columns, got 2.');
    expect(() => imageGrid({ ...rows(0), bounds: [1, 0] })).toThrow('imageGrid: bounds must be increasing, got [1, 0].');
    expect(() => imageGrid({ ...rows(0), scale: 0.5 })).toThrow('imageGrid: scale must be an integer in [1, 64], got 0.5.');
  });
});

describe('perturbationView', () => {
  it('is grey where nothing changed and cut at the range', () => {
    // 128 + 127 · d / 0.1 for d = 0, 0.1, −0.1, 0.05 (191.5), 0.3
    const view = perturbationView(grey([0.5, 0.5, 0.5, 0.5, 0.5]), grey([0.5, 0.6, 0.4, 0.55, 0.8]), { range: 0.1 });
    expect([...view.data]).toEqual([128, 255, 1, 192, 255]);
  });

  it('names what is wrong', () => {
    expect(() => perturbationView(grey([0]), grey([0, 0]), { range: 1 })).toThrow('perturbationView: adversarial.width must be that of clean, 1, got 2.');
    expect(() => perturbationView(grey([0]), grey([0]), { range: 0 })).toThrow('perturbationView: range must be positive, got 0.');
    expect(() => perturbationView(grey([0]), grey([Number.NaN]), { range: 1 })).toThrow('pixel 0 must be finite in both images, got NaN.');
  });
});
