/** A line store on an embedded store in a folder of its own, and what it has to find. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { batchOfLines } from '../../../../bench/viewer/log-lines.ts';
import type { FoundLine, SearchRequest } from '../../../../drains/viewer/store/contract.ts';
import { LocalRunner } from '../../../../drains/viewer/store/jobs/local-runner.ts';
import { type LineStoreOptions, PackedLineStore } from '../../../../drains/viewer/store/packed-line-store.ts';
import { QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import { parseQuery } from '../../../../src/logs/query/query-parser.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { RECORD_HEADER, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { lineTimeStart } from '../../../../src/logs/syslog/record.ts';

export interface Rig {
  readonly folder: string;
  readonly streams: EmbeddedStore;
  readonly lines: PackedLineStore;
  readonly problems: string[];
  /** Opens both again, as after the end of the process. */
  reopen(): Promise<void>;
  /** Ends both, and removes the folder. */
  close(): Promise<void>;
}

/** A line that was added, as it has to be found. */
export interface AddedLine {
  readonly stream: AppId;
  readonly sequence: number;
  readonly timeMs: number;
  readonly text: string;
}

/** {@link openRig} until the test ends. */
export function lineStoreForTest(options: Partial<LineStoreOptions> = {}): Rig {
  const rig = openRig(options);
  onTestFinished(() => rig.close());
  return rig;
}

/** Opens a store in a new folder. */
export function openRig(options: Partial<LineStoreOptions> = {}): Rig {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-lines-'));
  const problems: string[] = [];
  const open = () => {
    const streams = new EmbeddedStore({
      folder: join(folder, 'streams'),
      retention: { lines: 1e9, bytes: 1e10, ageMs: 1e12 },
      durability: 'process',
    });
    const lines = new PackedLineStore({
      folder: join(folder, 'parts'),
      store: streams,
      runner: new LocalRunner(),
      onProblem: (message) => problems.push(message),
      ...options,
    });
    return { streams, lines };
  };
  let current = open();
  const closeBoth = async (): Promise<void> => {
    await current.lines.close();
    await current.streams.close();
  };
  return {
    folder,
    problems,
    get streams() {
      return current.streams;
    },
    get lines() {
      return current.lines;
    },
    async reopen() {
      await closeBoth();
      current = open();
    },
    async close() {
      await closeBoth();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Appends lines to a stream, in batches of some. */
export async function addLines(
  rig: Rig,
  stream: AppId,
  texts: readonly string[],
  batchLines = 100,
): Promise<AddedLine[]> {
  const added: AddedLine[] = [];
  for (let i = 0; i < texts.length; i += batchLines) {
    const some = texts.slice(i, i + batchLines);
    const { first } = await rig.streams.append(stream, batchOfLines(some));
    for (const [k, text] of some.entries())
      added.push({ stream, sequence: first + k, timeMs: timeOf(text), text });
  }
  return added;
}

export function timeOf(text: string): number {
  const { bytes } = batchOfLines([text]);
  const line = new RecordCursor(bytes);
  line.advance();
  return Math.floor(Date.parse(bytes.toString('latin1', lineTimeStart(line, bytes), line.hostStart - 1)));
}

/** What a search has to find: every line looked at, one by one. */
export function expectedLines(
  all: readonly AddedLine[],
  q: string,
  request: Partial<SearchRequest> = {},
): AddedLine[] {
  const { expression } = parseQuery(q);
  const { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY, streams } = request;
  const { bytes } = batchOfLines(all.map(({ text }) => text));
  const line = new RecordCursor(bytes);
  const matcher = expression && new QueryMatcher(expression, q);
  const mayMatch = matcher?.mayMatch(bytes) ?? true;
  return all
    .filter(({ stream, timeMs }) => {
      line.advance();
      if (streams && !streams.includes(stream)) return false;
      if (timeMs < fromMs || timeMs >= toMs || !mayMatch) return false;
      return matcher?.matches(line, bytes) ?? true;
    })
    .sort(
      (a, b) =>
        a.timeMs - b.timeMs || (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : a.sequence - b.sequence),
    );
}

export function textOfLine({ record }: Pick<FoundLine, 'record'>): string {
  return record.toString('utf8', RECORD_HEADER);
}

/** A line that was found, to be compared with one that was added. */
export function asAdded(line: FoundLine): AddedLine {
  const { stream, sequence, timeMs } = line;
  return { stream, sequence, timeMs, text: textOfLine(line) };
}
