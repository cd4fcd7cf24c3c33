/**
 * How lines stand on a wire. Lines are written once for all tails that are at the same place and want the same, so a wire knows
 * nothing of who reads.
 */
import type { Sequence, StoredBatch } from '../../store/contract.ts';
import type { Filter } from '../filter.ts';
import { eachMatch, type Range, type Reached } from '../range.ts';
import { Block } from './block.ts';
import { type FormatName, textLine } from './format.ts';
import { deflatedFrame, frameHeader } from './frame.ts';
import { putFormatted, putJsonLine, putTextLine } from './line-writer.ts';
import { putAllLines, type TextMarks } from './text-block.ts';

/** Lines as they go out; nothing was written when `count` is 0. */
export interface Written<T> extends Reached {
  readonly lines: T;
}

export interface Wire<T> {
  readonly format: FormatName;
  write(batches: readonly StoredBatch[], range: Range, filter: Filter): Written<T>;
  /** One line that is formatted already. */
  writeOne(line: string, position: Sequence): T;
  /** See {@link sharedWrite}. */
  readonly memory: Memory<T>;
}

/** What was written of a batch and those behind it: as long as the batch is in memory, somebody else may want the same. */
export type Memory<T> = WeakMap<StoredBatch, Map<string, Written<T>>>;

/** Different ranges and filters of a batch that are remembered. */
const WAYS_MAX = 16;

/** What {@link Wire.write} gives, written once for all tails who are at the same place and want the same. */
export function sharedWrite<T>(
  wire: Wire<T>,
  batches: readonly StoredBatch[],
  range: Range,
  filter: Filter,
): Written<T> {
  let ways = wire.memory.get(batches[0]);
  if (!ways) {
    ways = new Map();
    wire.memory.set(batches[0], ways);
  }
  const key = `${range.after} ${range.through} ${filter.key}`;
  let written = ways.get(key);
  if (!written) {
    written = wire.write(batches, range, filter);
    for (const oldest of ways.keys()) {
      if (ways.size < WAYS_MAX) break;
      ways.delete(oldest);
    }
    ways.set(key, written);
  }
  return written;
}

/** What stands before, between and behind lines. */
interface Punctuation extends TextMarks {
  readonly format: FormatName;
  /** Behind all lines. */
  readonly end: string;
  readonly finish: (block: Block, position: Sequence) => Buffer;
}

function bytesWire(marks: Punctuation): Wire<Buffer> {
  const { format, open, close, between, lineFeed, end, finish } = marks;
  const manner = marks.quoted ? 'quoted' : 'shown';
  return {
    format,
    memory: new WeakMap(),
    write(batches, range, filter) {
      const block = new Block(sizeOf(batches, range, format));
      if (format === 'text' && filter.empty) {
        const reached = putAllLines(block, batches, range, marks);
        block.put(end);
        return { ...reached, lines: finish(block, reached.last) };
      }
      let first = true;
      const reached = eachMatch(batches, range, filter, (line, bytes, sequence) => {
        if (!first) block.put(between);
        first = false;
        block.put(open);
        if (format === 'json') putJsonLine(block, line, bytes, sequence);
        else putTextLine(block, line, bytes, manner, lineFeed);
        block.put(close);
      });
      block.put(end);
      return { ...reached, lines: finish(block, reached.last) };
    },
    writeOne(line, position) {
      const block = new Block(line.length);
      block.put(open);
      putFormatted(block, line, manner, lineFeed);
      block.put(close);
      block.put(end);
      return finish(block, position);
    },
  };
}

/** What a line's names and figures take as JSON beyond the line itself, mostly. */
const JSON_BYTES = 160;

/** Bytes that the lines of a range will mostly need. */
function sizeOf(batches: readonly StoredBatch[], { after, through }: Range, format: FormatName): number {
  const more = format === 'json' ? JSON_BYTES : 0;
  let size = 0;
  for (const { bytes, first, last, count } of batches) {
    const lines = Math.min(last, through) - Math.max(first - 1, after);
    if (lines > 0) size += Math.ceil((bytes.length / count + more) * lines);
  }
  return size;
}

function webSocketWire(format: FormatName, deflates: boolean): Wire<Buffer> {
  const mark = format === 'text' ? '"' : '';
  return bytesWire({
    format,
    open: mark,
    close: mark,
    between: ',',
    quoted: format === 'text',
    lineFeed: '\n',
    end: ']}',
    finish: (block, position) => {
      const start = `{"position":"${position}","lines":[`;
      if (deflates) return deflatedFrame(block.close(start));
      return block.close(frameHeader(start.length + block.length) + start);
    },
  });
}

function eventWire(format: FormatName): Wire<Buffer> {
  return bytesWire({
    format,
    open: 'data: ',
    close: '\n',
    between: '',
    quoted: false,
    lineFeed: '\ndata: ',
    end: '\n',
    finish: (block, position) => block.close(`id: ${position}\n`),
  });
}

function plainWire(format: FormatName): Wire<Buffer> {
  return bytesWire({
    format,
    open: '',
    close: '\n',
    between: '',
    quoted: false,
    lineFeed: '\n',
    end: '',
    finish: (block) => block.close(''),
  });
}

type Both = { readonly [format in FormatName]: Wire<Buffer> };

/** One WebSocket message for some lines (RFC 6455): `{"position":"42","lines":["…"]}`. */
export const WEB_SOCKET: Both = { text: webSocketWire('text', false), json: webSocketWire('json', false) };
/** The same, compressed for connections that agreed on it. */
export const WEB_SOCKET_DEFLATED: Both = {
  text: webSocketWire('text', true),
  json: webSocketWire('json', true),
};
/** One server-sent event for some lines (HTML Living Standard, section 9.2): its `id` the position, one `data:` a line. */
export const EVENTS: Both = { text: eventWire('text'), json: eventWire('json') };
/** Lines with line ends. */
export const PLAIN: Both = { text: plainWire('text'), json: plainWire('json') };

/** Texts, for readers in this process. */
export const TEXTS: Wire<readonly string[]> = {
  format: 'text',
  memory: new WeakMap(),
  write(batches, range, filter) {
    const lines: string[] = [];
    const reached = eachMatch(batches, range, filter, (line, bytes) => lines.push(textLine(line, bytes)));
    return { ...reached, lines };
  },
  writeOne: (line) => [line],
};
