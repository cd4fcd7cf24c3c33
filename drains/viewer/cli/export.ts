/** `viewer export`: lines of a running viewer as files, a day a file, named as Papertrail's archives are. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Command } from 'commander';
import { TailraceError } from '../../../src/common/errors.ts';
import { makeDirectory } from '../../../src/common/files/make-directory.ts';
import { explainTime, parseTime } from '../../../src/common/time-expression.ts';
import { zonedSearch } from '../../../src/logs/query/query-times.ts';
import { DAY_MS, dayStart } from '../archive/file-names.ts';
import { type ApiGroup, type ClientOptions, collect, findByName, ViewerClient } from './viewer-client.ts';
import { writeNotice } from './viewer-notice.ts';

const ENDINGS: Readonly<Record<string, string>> = { papertrail: 'tsv', ndjson: 'ndjson' };

interface ExportOptions extends ClientOptions {
  readonly group: string;
  readonly stream: readonly string[];
  readonly since?: string;
  readonly until?: string;
  readonly query?: string;
  readonly format: string;
  readonly output: string;
}

interface DatedGroup extends ApiGroup {
  readonly streams: readonly { id: string; name: string; firstAt: string | null; lastAt: string | null }[];
}

export function addExportCommand(program: Command): void {
  program
    .command('export')
    .description('write the lines of a group into files, a day a file: dt=2026-01-31/2026-01-31.tsv.gz')
    .option('--url <url>', 'the viewer (VIEWER_URL; http://127.0.0.1:8620)')
    .option('--key <key>', "an API key; better in VIEWER_KEY, which others on this machine can't see")
    .requiredOption('-g, --group <name>', 'of this group, by name or id')
    .option('-s, --stream <name>', 'only this stream; may be repeated', collect, [])
    .option('-q, --query <query>', 'only lines that match')
    .option('--since <time>', 'lines from this time on; otherwise from the first one')
    .option('--until <time>', 'lines before this time; otherwise up to now')
    .option('--format <format>', 'papertrail (ten columns with tabs between them) or ndjson', 'papertrail')
    .option('-o, --output <folder>', 'into this folder', '.')
    .action(exportDays);
}

async function exportDays(options: ExportOptions): Promise<void> {
  const ending = Object.hasOwn(ENDINGS, options.format) ? ENDINGS[options.format] : undefined;
  if (ending === undefined)
    throw new TailraceError('invalid_params', '--format must be papertrail or ndjson.');
  const nowMs = Date.now();
  const client = new ExportClient(options);
  const group = findByName(await client.get<readonly DatedGroup[]>('api/groups'), options.group, 'group');
  const streams = options.stream.map((name) => findByName(group.streams, name, 'stream'));
  const selected = streams.length > 0 ? streams : group.streams;
  const firstMs = Math.min(
    ...selected.map(({ firstAt }) => (firstAt === null ? nowMs : Date.parse(firstAt))),
  );
  const lastMs = Math.max(
    nowMs,
    ...selected.map(({ lastAt }) => (lastAt === null ? 0 : Date.parse(lastAt) + 1)),
  );
  const fromMs = options.since === undefined ? firstMs : readTime(options.since, nowMs);
  const toMs = options.until === undefined ? lastMs : readTime(options.until, nowMs);
  let lines = 0;
  for (let dayMs = dayStart(Math.max(fromMs, firstMs)); dayMs < Math.min(toMs, lastMs); dayMs += DAY_MS) {
    const parameters = new URLSearchParams({
      format: options.format,
      from: new Date(Math.max(dayMs, fromMs)).toISOString(),
      to: new Date(Math.min(dayMs + DAY_MS, toMs)).toISOString(),
    });
    if (options.query !== undefined) parameters.set('q', zonedSearch(options.query, nowMs));
    if (streams.length === 0) parameters.set('group', group.id);
    for (const { id } of streams) parameters.append('stream', id);
    const day = new Date(dayMs).toISOString().slice(0, 10);
    const path = join(options.output, `dt=${day}`, `${day}.${ending}.gz`);
    const count = await client.download(`api/archives/export?${parameters}`, path);
    if (count > 0) process.stdout.write(`${path}: ${count} ${count === 1 ? 'line' : 'lines'}\n`);
    lines += count;
  }
  if (lines === 0) writeNotice('There are no lines in this range.');
}

class ExportClient extends ViewerClient {
  /** Writes a file, which is whole when it has its name; returns how many lines it has. None is written for no lines. */
  async download(url: string, path: string): Promise<number> {
    const response = await this.request(url, {});
    makeDirectory(dirname(path));
    const partial = `${path}.partial`;
    let lines = 0;
    const counter = createGunzip();
    counter.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) lines++;
    });
    // It ends with an error when the answer was cut off.
    const counted = once(counter, 'end');
    counted.catch(() => undefined);
    try {
      const body = Readable.fromWeb(response.body as import('node:stream/web').ReadableStream);
      await pipeline(
        body,
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            if (!counter.write(chunk)) await once(counter, 'drain');
            yield chunk;
          }
          counter.end();
        },
        createWriteStream(partial),
      );
      await counted;
      if (lines > 0) await rename(partial, path);
      else await rm(partial).then(() => rmdir(dirname(path)).catch(() => undefined));
      return lines;
    } catch (error) {
      await rm(partial, { force: true });
      if (error instanceof TailraceError) throw error;
      throw new TailraceError(
        'unavailable',
        `${path} can't be written whole: the viewer, or the disk, ended early.`,
        {
          cause: error,
        },
      );
    }
  }
}

function readTime(text: string, nowMs: number): number {
  const ms = parseTime(text, nowMs);
  if (ms === undefined) throw new TailraceError('invalid_params', explainTime(text));
  return ms;
}
