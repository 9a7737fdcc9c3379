/** One tensor in the header of a safetensors file. */
export interface HeaderEntry {
  readonly dtype: 'F32' | 'I32';
  readonly shape: readonly number[];
  /** First byte and byte after the last, counted from the end of the header. */
  readonly data_offsets: readonly [number, number];
}

/** Largest header accepted, as in the reference implementation of safetensors. */
export const MAX_HEADER_BYTES = 100_000_000;

const BYTES_PER_VALUE = 4;

type Fail = (what: string) => never;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Keys of a valid JSON object in order, with repetitions, which `JSON.parse` would swallow. */
function topLevelKeys(json: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    else if (char === '"') {
      const start = i++;
      while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
      if (depth === 1 && /^\s*:/.test(json.slice(i + 1, i + 99))) keys.push(JSON.parse(json.slice(start, i + 1)) as string);
    }
  }
  return keys;
}

function parseEntry(name: string, value: unknown, fail: Fail): HeaderEntry {
  if (!isRecord(value)) return fail(`the entry of '${name}' must be an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (dtype !== 'F32' && dtype !== 'I32') return fail(`the dtype of '${name}' must be F32 or I32, got ${JSON.stringify(dtype)}`);
  if (!Array.isArray(shape) || !shape.every(isSize)) return fail(`the shape of '${name}' must be integers ≥ 0`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) return fail(`the offsets of '${name}' must be two integers ≥ 0`);
  const [from, to] = offsets as [number, number];
  const size = (shape as number[]).reduce((product, dimension) => product * dimension, BYTES_PER_VALUE);
  if (to - from !== size) return fail(`'${name}' of shape [${shape.join(',')}] must have ${size} bytes, got ${to - from}`);
  return { dtype, shape: shape as number[], data_offsets: [from, to] };
}

/** Reads and checks a header against the number of bytes that follow it. */
export function parseHeader(bytes: Uint8Array, dataBytes: number, fail: Fail): { entries: [string, HeaderEntry][]; metadata: Record<string, string> } {
  let json = '';
  let header: unknown;
  try {
    json = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    header = JSON.parse(json);
  } catch {
    return fail('the header must be JSON in UTF-8');
  }
  if (!isRecord(header)) return fail('the header must be a JSON object');
  const names = topLevelKeys(json);
  if (new Set(names).size !== names.length) return fail(`names must be unique, got '${names.find((name, i) => names.indexOf(name) !== i)}' twice`);
  const metadata = header.__metadata__ ?? {};
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) return fail('__metadata__ must be an object of strings');
  const entries = names.filter((name) => name !== '__metadata__').map((name): [string, HeaderEntry] => [name, parseEntry(name, header[name], fail)]);
  let end = 0;
  for (const [name, { data_offsets: offsets }] of [...entries].sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1])) {
    if (offsets[0] !== end) return fail(`'${name}' must start at byte ${end}, got ${offsets[0]}`);
    end = offsets[1];
  }
  if (end !== dataBytes) return fail(`the tensors must cover ${dataBytes} bytes, got ${end}`);
  return { entries, metadata: metadata as Record<string, string> };
}
