/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), bit by bit of each byte through a table. */
function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    return value >>> 0;
  });
}

/** CRC-32C of bytes. */
export function crc32c(bytes: Uint8Array): number {
  const table = makeTable();
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** The checksum as record files store it: rotated and shifted, so that a checksum of data with checksums in it is safe. */
const masked = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
};

/**
 * One record of a TFRecord file: length (8 bytes, little-endian), its masked CRC-32C, the data, and their masked CRC-32C.
 *
 * @see {@link https://www.tensorflow.org/tutorials/load_data/tfrecord | TFRecord files}.
 */
export function tfRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return record;
}
