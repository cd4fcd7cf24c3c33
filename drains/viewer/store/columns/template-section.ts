/** What templates of lines are stored as (part-columns.ts compresses it). Little endian. */

/** `u16 bytes | text` each. */
export function encodeTexts(texts: readonly Buffer[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(2);
      length.writeUInt16LE(text.length);
      return [length, text];
    }),
  );
}

/** The templates by number, from 1 on, one character a byte (latin1). The bytes are complete: their checksum was checked. */
export function decodeTexts(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + 2;
    at = start + bytes.readUInt16LE(at);
    texts.push(bytes.toString('latin1', start, at));
  }
  return texts;
}

const ANY = 0xffff;

/** Of each block `u16 pieces | u16 each, as the difference from the one before`; {@link ANY} and nothing else when there may be any. */
export function encodePieces(blocks: readonly (Uint16Array | undefined)[]): Buffer {
  const numbers: number[] = [];
  for (const pieces of blocks) {
    numbers.push(pieces?.length ?? ANY);
    let last = 0;
    for (const piece of pieces ?? []) {
      numbers.push(piece - last);
      last = piece;
    }
  }
  const bytes = Buffer.alloc(numbers.length * 2);
  for (const [i, number] of numbers.entries()) bytes.writeUInt16LE(number, i * 2);
  return bytes;
}

/** Of each block its pieces, ascending; undefined: there may be any. The bytes are complete: their checksum was checked. */
export function decodePieces(bytes: Buffer): (Uint16Array | undefined)[] {
  const blocks: (Uint16Array | undefined)[] = [];
  for (let at = 0; at < bytes.length; ) {
    const count = bytes.readUInt16LE(at);
    at += 2;
    if (count === ANY) {
      blocks.push(undefined);
      continue;
    }
    const pieces = new Uint16Array(count);
    let last = 0;
    for (let i = 0; i < count; i++, at += 2) {
      last += bytes[at] | (bytes[at + 1] << 8);
      pieces[i] = last;
    }
    blocks.push(pieces);
  }
  return blocks;
}
