/**
 * The section of columns, as column-builder.ts makes them. What a query needs of it is read alone: a front, then pieces that are compressed by
 * themselves. Little endian:
 *
 *     u32 CRC-32 of the front | u32 bytes of the front | front: compressed JSON | pieces
 */
import { constants, deflateRawSync, inflateRawSync, type ZlibOptions } from 'node:zlib';
import { crc32 } from '../../../../src/logs/store/embedded/checksum.ts';
import type { BuiltColumns } from './column-builder.ts';
import { decodePieces, decodeTexts, encodePieces, encodeTexts } from './template-section.ts';

const HEAD_BYTES = 8;
const FRONT_BYTES_MAX = 64 * 1_048_576;
/** Runs of the same byte, and bytes by how frequent they are: there is little more in columns. */
const PACKING = { level: 6, strategy: constants.Z_RLE, memLevel: 9 } as const;

const PACKING_TEXTS = { level: 6 } as const;

/** Where a piece is, behind the front. */
type Piece = readonly [offset: number, length: number, checksum: number, unpacked: number];

interface Front {
  readonly lines: number;
  readonly fields: BuiltColumns['fields'];
  readonly shapes: BuiltColumns['shapes'];
  /** Without values when there are too many. */
  readonly columns: readonly {
    readonly values?: readonly string[];
    readonly characters?: string;
    readonly piece?: Piece;
  }[];
  readonly origins: BuiltColumns['origins'];
  readonly shape: Piece;
  readonly origin: Piece;
  readonly level: Piece;
  readonly minute: Piece;
  readonly colons: Piece;
  readonly templates?: {
    readonly texts: Piece;
    readonly low: Piece;
    readonly high: Piece;
    readonly pieces: Piece;
  };
}

/** A part's columns can't be used: its lines are looked at without them. */
export class ColumnDamage extends Error {}

/** The section's bytes, as this file's head says, of the columns of all lines of a part. */
export function encodeColumns(built: BuiltColumns): Buffer {
  const pieces: Buffer[] = [];
  let end = 0;
  const add = (bytes: Buffer, packing: ZlibOptions = PACKING): Piece => {
    const packed = deflateRawSync(bytes, packing);
    const piece = [end, packed.length, crc32(packed), bytes.length] as const;
    pieces.push(packed);
    end += packed.length;
    return piece;
  };
  const { templates } = built;
  const front: Front = {
    lines: built.shape.length,
    fields: built.fields,
    shapes: built.shapes,
    columns: built.columns.map(({ values, characters, numbers }) =>
      values ? { values, piece: add(numbers) } : { ...(characters !== undefined && { characters }) },
    ),
    origins: built.origins,
    shape: add(built.shape),
    origin: add(built.origin),
    level: add(built.level),
    minute: add(built.minute),
    colons: add(Buffer.concat(built.colons)),
    ...(templates && {
      templates: {
        texts: add(encodeTexts(templates.texts), PACKING_TEXTS),
        low: add(templates.low),
        high: add(templates.high),
        pieces: add(encodePieces(templates.pieces), PACKING_TEXTS),
      },
    }),
  };
  const packed = deflateRawSync(JSON.stringify(front));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(crc32(packed), 0);
  head.writeUInt32LE(packed.length, 4);
  return Buffer.concat([head, packed, ...pieces]);
}

/** Reads bytes of the section. */
export type ReadColumns = (offset: number, length: number) => Buffer;

/** A field of the lines of one shape. */
export interface FieldColumn {
  /** Of each number from 1 on; undefined when there are too many, and no numbers. */
  readonly values: readonly string[] | undefined;
  /** When there are too many: all characters of them, in small letters, if that is known. */
  readonly characters: string | undefined;
  /** A number for each line of the shape, and of others with the same column. */
  readonly numbers: Buffer | undefined;
}

/** What lines have but for their values (template-builder.ts). */
export interface LineTemplates {
  /** Of each number from 1 on. */
  readonly texts: readonly string[];
  readonly low: Buffer;
  readonly high: Buffer;
  /** Of each block the pieces of letters in variables, ascending; undefined: there may be any. */
  readonly pieces: readonly (Uint16Array | undefined)[];
}

/** The columns of one part. */
export class PartColumns {
  private readonly read: ReadColumns;
  private readonly front: Front;
  private readonly piecesAt: number;
  private readonly pieces = new Map<Piece, Buffer>();
  private readonly columns = new Map<number, FieldColumn>();
  private lineTemplates: LineTemplates | undefined;

  /** @throws ColumnDamage when it isn't what was written. */
  constructor(read: ReadColumns) {
    this.read = read;
    const head = read(0, HEAD_BYTES);
    if (head.length < HEAD_BYTES) throw new ColumnDamage('the front of the columns is missing');
    const packed = read(HEAD_BYTES, head.readUInt32LE(4));
    if (crc32(packed) !== head.readUInt32LE(0)) throw new ColumnDamage('the front of the columns is damaged');
    this.front = JSON.parse(inflateRawSync(packed, { maxOutputLength: FRONT_BYTES_MAX }).toString()) as Front;
    this.piecesAt = HEAD_BYTES + packed.length;
  }

  /** How many lines the part has, in the order of which all columns are. */
  get lines(): number {
    return this.front.lines;
  }

  get origins(): Front['origins'] {
    return this.front.origins;
  }

  /** Numbers of each line. @throws ColumnDamage */
  column(name: 'shape' | 'origin' | 'level' | 'minute'): Buffer {
    return this.piece(this.front[name]);
  }

  /** Of all blocks, one after the other. @throws ColumnDamage */
  get colons(): Buffer {
    return this.piece(this.front.colons);
  }

  /** Undefined when there are none. @throws ColumnDamage */
  get templates(): LineTemplates | undefined {
    const { templates } = this.front;
    if (!templates) return undefined;
    this.lineTemplates ??= {
      texts: decodeTexts(this.piece(templates.texts)),
      low: this.piece(templates.low),
      high: this.piece(templates.high),
      pieces: decodePieces(this.piece(templates.pieces)),
    };
    return this.lineTemplates;
  }

  /** The columns of a shape's fields, in their order; of shapes from 1 on. @throws ColumnDamage */
  ofShape(shape: number): readonly FieldColumn[] {
    return this.front.shapes[shape - 1].columns.map((index) => this.columnAt(index));
  }

  /** How many shapes there are; they are numbered from 1 on. */
  get shapes(): number {
    return this.front.shapes.length;
  }

  /** A field's column for each shape from 1 on; undefined for a shape without the field. @throws ColumnDamage */
  field(name: string): readonly (FieldColumn | undefined)[] {
    const { fields, shapes } = this.front;
    const field = fields.indexOf(name);
    return shapes.map((shape) => {
      const at = field === -1 ? -1 : shape.fields.indexOf(field);
      return at === -1 ? undefined : this.columnAt(shape.columns[at]);
    });
  }

  private columnAt(index: number): FieldColumn {
    const known = this.columns.get(index);
    if (known) return known;
    const { values, characters, piece } = this.front.columns[index];
    const read = (): Buffer | undefined => piece && this.piece(piece);
    const column: FieldColumn = {
      values,
      characters,
      get numbers() {
        return read();
      },
    };
    this.columns.set(index, column);
    return column;
  }

  private piece(piece: Piece): Buffer {
    const known = this.pieces.get(piece);
    if (known) return known;
    const [offset, length, checksum, unpacked] = piece;
    const packed = this.read(this.piecesAt + offset, length);
    if (crc32(packed) !== checksum) throw new ColumnDamage('a column is damaged');
    const bytes = inflateRawSync(packed, {
      maxOutputLength: Math.max(1, unpacked),
      chunkSize: Math.max(64, unpacked),
    });
    this.pieces.set(piece, bytes);
    return bytes;
  }
}
