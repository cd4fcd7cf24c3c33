import type { RecordCursor } from '../syslog/batch.ts';

const DOT = 0x2e;

/** Which lines a reader wants; what is left out matches everything. */
export interface FilterOptions {
  /** The source's name, exactly. */
  readonly source?: string;
  /** A dyno (`web.1`), or all dynos of a process type (`web`). */
  readonly dyno?: string;
}

/** Decides line by line, on bytes. */
export class Filter {
  /** Equal for filters that decide alike: results can be shared under it. */
  readonly key: string;
  private readonly source: Uint8Array | undefined;
  private readonly dyno: Uint8Array | undefined;

  constructor(options: FilterOptions = {}) {
    this.source = options.source === undefined ? undefined : Buffer.from(options.source);
    this.dyno = options.dyno === undefined ? undefined : Buffer.from(options.dyno);
    this.key = JSON.stringify([options.source, options.dyno]);
  }

  /** Everything matches. */
  get empty(): boolean {
    return !this.source && !this.dyno;
  }

  /** Does the line under the cursor match? */
  matches(line: RecordCursor, bytes: Uint8Array): boolean {
    const { source, dyno } = this;
    const sourceEnd = fieldEnd(bytes, line.sourceStart, line.msgidStart);
    if (source && !isEqual(bytes, line.sourceStart, sourceEnd, source)) return false;
    if (!dyno) return true;
    const start = sourceEnd + 1;
    const end = line.msgidStart - 1;
    if (isEqual(bytes, start, end, dyno)) return true;
    const prefixEnd = start + dyno.length;
    return prefixEnd < end && bytes[prefixEnd] === DOT && isEqual(bytes, start, prefixEnd, dyno);
  }
}

/** Where the header field that starts at `start` ends. */
export function fieldEnd(bytes: Uint8Array, start: number, limit: number): number {
  let i = start;
  while (i < limit && bytes[i] !== 0x20) i++;
  return i;
}

function isEqual(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (end - start !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}
