/**
 * Encodings of lines for each protocol. Lines are encoded once for all tails with the same position and filter, so an encoding knows
 * nothing of the reader.
 */
import type { StoredBatch } from '../../store/contract.ts';
import { StreamPositions } from '../../store/stream-positions.ts';
import type { LineFilter } from '../../syslog/line-filter.ts';
import { forEachMatch, type LineRange, type ScanResult } from '../line-scan.ts';
import { ByteWriter } from './byte-writer.ts';
import { formatTextLine, type TailFormat } from './line-format.ts';
import { writeFormatted, writeJsonLine, writeTextLine } from './line-writer.ts';
import { type TextDelimiters, writeAllLines } from './text-batch-writer.ts';
import { webSocketDeflatedFrame, webSocketFrameHeader } from './websocket-frame.ts';

/** Encoded lines; there are none when `count` is 0. */
export interface EncodedLines<T> extends ScanResult {
  readonly lines: T;
}

export interface TailEncoding<T> {
  readonly format: TailFormat;
  /** @param positions of the stream; left out: they are sequences */
  encode(
    batches: readonly StoredBatch[],
    range: LineRange,
    filter: LineFilter,
    positions?: StreamPositions,
  ): EncodedLines<T>;
  /** One line that is formatted already. @param position undefined: the reader's place isn't known, and it isn't told one */
  encodeOne(line: string, position: number | undefined): T;
  /** See {@link encodeShared}. */
  readonly cache: EncodedCache<T>;
}

/** What was encoded of a batch and those after it: as long as the batch is in memory, another tail may need the same. */
export type EncodedCache<T> = WeakMap<StoredBatch, Map<string, EncodedLines<T>>>;

const PLAIN_POSITIONS = new StreamPositions();
/** Different ranges and filters of a batch that are cached. */
const CACHED_VARIANTS_MAX = 16;

/** What {@link TailEncoding.encode} gives, encoded once for all tails with the same position and filter. */
export function encodeShared<T>(
  encoding: TailEncoding<T>,
  batches: readonly StoredBatch[],
  range: LineRange,
  filter: LineFilter,
  positions: StreamPositions,
): EncodedLines<T> {
  let variants = encoding.cache.get(batches[0]);
  if (!variants) {
    variants = new Map();
    encoding.cache.set(batches[0], variants);
  }
  const key = `${range.after} ${range.through} ${filter.key}`;
  let encoded = variants.get(key);
  if (!encoded) {
    encoded = encoding.encode(batches, range, filter, positions);
    for (const oldest of variants.keys()) {
      if (variants.size < CACHED_VARIANTS_MAX) break;
      variants.delete(oldest);
    }
    variants.set(key, encoded);
  }
  return encoded;
}

/** What is written before, between and after lines. */
interface BytesEncodingOptions extends TextDelimiters {
  readonly format: TailFormat;
  /** After all lines. */
  readonly end: string;
  readonly finish: (writer: ByteWriter, position: number | undefined) => Buffer;
}

function bytesEncoding(options: BytesEncodingOptions): TailEncoding<Buffer> {
  const { format, open, close, separator, lineFeed, end, finish } = options;
  const mode = options.quoted ? 'terminal-quoted' : 'terminal';
  return {
    format,
    cache: new WeakMap(),
    encode(batches, range, filter, positions = PLAIN_POSITIONS) {
      const writer = new ByteWriter(estimateBytes(batches, range, format));
      if (format === 'text' && filter.matchesAll) {
        const reached = writeAllLines(writer, batches, range, options);
        writer.writeLatin1(end);
        return { ...reached, lines: finish(writer, positions.of(reached.last)) };
      }
      let first = true;
      const reached = forEachMatch(batches, range, filter, (line, bytes, sequence) => {
        if (!first) writer.writeLatin1(separator);
        first = false;
        writer.writeLatin1(open);
        if (format === 'json') writeJsonLine(writer, line, bytes, positions.of(sequence));
        else writeTextLine(writer, line, bytes, mode, lineFeed);
        writer.writeLatin1(close);
      });
      writer.writeLatin1(end);
      return { ...reached, lines: finish(writer, positions.of(reached.last)) };
    },
    encodeOne(line, position) {
      const writer = new ByteWriter(line.length);
      writer.writeLatin1(open);
      writeFormatted(writer, line, mode, lineFeed);
      writer.writeLatin1(close);
      writer.writeLatin1(end);
      return finish(writer, position);
    },
  };
}

/** What JSON mostly adds to a line. */
const JSON_OVERHEAD_BYTES = 160;

/** Bytes that the lines of a range will mostly need. */
function estimateBytes(
  batches: readonly StoredBatch[],
  { after, through }: LineRange,
  format: TailFormat,
): number {
  const overhead = format === 'json' ? JSON_OVERHEAD_BYTES : 0;
  let size = 0;
  for (const { bytes, first, last, count } of batches) {
    const lines = Math.min(last, through) - Math.max(first - 1, after);
    if (lines > 0 && count > 0) size += Math.ceil((bytes.length / count + overhead) * lines);
  }
  return size;
}

function webSocketEncoding(format: TailFormat, deflates: boolean): TailEncoding<Buffer> {
  const quote = format === 'text' ? '"' : '';
  return bytesEncoding({
    format,
    open: quote,
    close: quote,
    separator: ',',
    quoted: format === 'text',
    lineFeed: '\n',
    end: ']}',
    finish: (writer, position) => {
      const start = position === undefined ? '{"lines":[' : `{"position":"${position}","lines":[`;
      if (deflates) return webSocketDeflatedFrame(writer.finish(start));
      return writer.finish(webSocketFrameHeader(start.length + writer.length) + start);
    },
  });
}

function sseEncoding(format: TailFormat): TailEncoding<Buffer> {
  return bytesEncoding({
    format,
    open: 'data: ',
    close: '\n',
    separator: '',
    quoted: false,
    lineFeed: '\ndata: ',
    end: '\n',
    finish: (writer, position) => writer.finish(position === undefined ? '' : `id: ${position}\n`),
  });
}

function plainTextEncoding(format: TailFormat): TailEncoding<Buffer> {
  return bytesEncoding({
    format,
    open: '',
    close: '\n',
    separator: '',
    quoted: false,
    lineFeed: '\n',
    end: '',
    finish: (writer) => writer.finish(''),
  });
}

type PerFormat = { readonly [format in TailFormat]: TailEncoding<Buffer> };

/** One WebSocket message for some lines (RFC 6455): `{"position":"42","lines":["…"]}`. */
export const WEBSOCKET_ENCODINGS: PerFormat = {
  text: webSocketEncoding('text', false),
  json: webSocketEncoding('json', false),
};
/** The same, compressed for connections that agreed on it. */
export const WEBSOCKET_DEFLATED_ENCODINGS: PerFormat = {
  text: webSocketEncoding('text', true),
  json: webSocketEncoding('json', true),
};
/** One server-sent event for some lines (HTML Living Standard, section 9.2): its `id` the position, one `data:` a line. */
export const SSE_ENCODINGS: PerFormat = { text: sseEncoding('text'), json: sseEncoding('json') };
/** Lines with line ends. */
export const PLAIN_TEXT_ENCODINGS: PerFormat = {
  text: plainTextEncoding('text'),
  json: plainTextEncoding('json'),
};

/** Texts, for readers in this process. */
export const STRING_ENCODING: TailEncoding<readonly string[]> = {
  format: 'text',
  cache: new WeakMap(),
  encode(batches, range, filter) {
    const lines: string[] = [];
    const reached = forEachMatch(batches, range, filter, (line, bytes) =>
      lines.push(formatTextLine(line, bytes)),
    );
    return { ...reached, lines };
  },
  encodeOne: (line) => [line],
};
