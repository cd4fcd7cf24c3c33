/** A viewer's store in memory, as far as archives use it: what they do with lines, and when they fail, is seen without files. */

import type { ArchiveRecords } from '../../../../drains/viewer/archive/archiver.ts';
import { RecordWriter } from '../../../../drains/viewer/archive/formats/record-writer.ts';
import type { FoundLine, ImportedLine, LineStore } from '../../../../drains/viewer/store/contract.ts';
import type { AppId, RecordChange, StoredRecord } from '../../../../src/logs/store/contract.ts';
import { formatTimestamp } from '../../../../src/logs/syslog/timestamp.ts';

const PIECE = 3;

export class MemoryLineStore
  implements Pick<LineStore, 'read' | 'importLines' | 'removeBefore' | 'shrinkTo' | 'summaries'>
{
  readonly streams = new Map<AppId, FoundLine[]>();
  readonly imported = new Map<string, ImportedLine[]>();
  private readonly writer = new RecordWriter();

  /** The store as the parts of the viewer know it. */
  get asStore(): LineStore {
    return this as unknown as LineStore;
  }

  /** Adds a line that was received then. */
  add(stream: AppId, receivedAtMs: number, message: string, timeMs = receivedAtMs): void {
    const lines = this.streams.get(stream) ?? [];
    this.streams.set(stream, lines);
    const record = {
      timestamp: formatTimestamp(timeMs),
      priority: 190,
      hostname: 'host',
      source: 'app',
      dyno: 'web.1',
      msgid: '-',
      structuredData: '-',
      message,
    };
    const [line] = this.writer.write({ record, receivedAtMs }, timeMs);
    const sequence = (lines.at(-1)?.sequence ?? 0) + 1;
    lines.push({ stream, sequence, timeMs, receivedAtMs, record: Buffer.from(line.record) });
  }

  async *read(stream: AppId, after: number): AsyncGenerator<readonly FoundLine[]> {
    const lines = (this.streams.get(stream) ?? []).filter(({ sequence }) => sequence > after);
    for (let at = 0; at < lines.length; at += PIECE) yield lines.slice(at, at + PIECE);
  }

  async importLines(
    stream: AppId,
    id: string,
    pieces: AsyncIterable<readonly ImportedLine[]>,
  ): Promise<number> {
    const key = `${stream} ${id}`;
    if (this.imported.has(key)) return 0;
    const lines: ImportedLine[] = [];
    for await (const piece of pieces) lines.push(...piece);
    this.imported.set(key, lines);
    return lines.length;
  }

  async removeBefore(stream: AppId, ms: number, upTo = Number.POSITIVE_INFINITY): Promise<number> {
    return this.removeWhile(stream, ({ timeMs, sequence }) => timeMs < ms && sequence <= upTo);
  }

  /** A line takes a byte, and is a part of its own. */
  async shrinkTo(stream: AppId, diskBytes: number, upTo = Number.POSITIVE_INFINITY): Promise<number> {
    let left = (this.streams.get(stream) ?? []).length;
    return this.removeWhile(stream, ({ sequence }) => sequence <= upTo && left-- > diskBytes);
  }

  async summaries(): ReturnType<LineStore['summaries']> {
    return [...this.streams].map(([stream, lines]) => ({
      stream,
      lines: lines.length,
      rawBytes: lines.length,
      diskBytes: lines.length,
      firstMs: lines[0]?.timeMs,
      lastMs: lines.at(-1)?.timeMs,
    }));
  }

  private removeWhile(stream: AppId, test: (line: FoundLine) => boolean): number {
    const lines = this.streams.get(stream) ?? [];
    const kept = lines.findIndex((line) => !test(line));
    return lines.splice(0, kept === -1 ? lines.length : kept).length;
  }
}

export class MemoryRecords implements ArchiveRecords {
  readonly values = new Map<string, unknown>();

  async get<T>(_scope: string, key: string): Promise<StoredRecord<T> | undefined> {
    const value = this.values.get(key);
    return value === undefined ? undefined : { key, value: structuredClone(value) as T, version: 1 };
  }

  async transact(_scope: string, changes: readonly RecordChange[]): Promise<boolean> {
    for (const { key, value } of changes)
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, structuredClone(value));
    return true;
  }
}
