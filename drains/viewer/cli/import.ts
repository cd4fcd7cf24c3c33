/** `viewer import`: lines of the past out of files: Papertrail's archives, ours, JSON, text. */
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { type BackoffRange, backoffMs } from '../../../src/common/backoff.ts';
import { reasonOf, TailraceError } from '../../../src/common/errors.ts';
import { sanitize } from '../../../src/logs/tails/output/sanitize.ts';
import { type ApiGroup, type ClientOptions, findByName, ViewerClient } from './viewer-client.ts';
import { writeNotice } from './viewer-notice.ts';

const PIECE_BYTES = 4 << 20;
const ATTEMPTS = 5;
const RETRY: BackoffRange = { firstMs: 1_000, maxMs: 4_000 };

interface ImportOptions extends ClientOptions {
  readonly group: string;
  readonly stream: string;
  readonly format?: string;
}

interface ImportAnswer {
  readonly lines: number;
  readonly unreadable: number;
  readonly problem?: string;
}

export function addImportCommand(program: Command): void {
  program
    .command('import <files...>')
    .description(
      'import files into a running viewer, each once: archives of Papertrail and of a viewer, NDJSON, text',
    )
    .option('--url <url>', 'the viewer (VIEWER_URL; http://127.0.0.1:8620)')
    .option('--key <key>', "an API key; better in VIEWER_KEY, which others on this machine can't see")
    .requiredOption('-g, --group <name>', 'into this group, by name or id')
    .option('-s, --stream <name>', 'into this stream of it, which is made when there is none', 'imported')
    .option('--format <format>', 'papertrail, ndjson, text or syslog; otherwise it is seen by the first line')
    .action(async (files: readonly string[], options: ImportOptions) => {
      process.exitCode = await importFiles(files, options);
    });
}

/** One that can't be imported keeps none of the others from it. */
async function importFiles(files: readonly string[], options: ImportOptions): Promise<number> {
  const client = new ImportClient(options);
  const groups = await client.get<readonly ApiGroup[]>('api/groups');
  const group = findByName(groups, options.group, 'group');
  const wanted = options.stream.toLowerCase();
  const stream =
    group.streams.find(({ id, name }) => id === options.stream || name.toLowerCase() === wanted) ??
    (await client.send<{ id: string; name: string }>('POST', `api/groups/${group.id}/streams`, {
      name: options.stream,
    }));
  let failures = 0;
  for (const file of files) {
    try {
      const { lines, problem } = await client.importFile(file, stream.id, options.format);
      const what = lines === 0 ? 'nothing new' : `${lines} ${lines === 1 ? 'line' : 'lines'}`;
      process.stdout.write(
        `${sanitize(file)}: ${what} imported into ${sanitize(`${group.name}/${stream.name}`)}\n`,
      );
      if (problem !== undefined) writeNotice(sanitize(problem));
    } catch (error) {
      failures++;
      const message =
        error instanceof TailraceError ? error.message : `${file} can't be read (${reasonOf(error)}).`;
      writeNotice(sanitize(message));
    }
  }
  return failures > 0 ? 1 : 0;
}

class ImportClient extends ViewerClient {
  async importFile(path: string, stream: string, format: string | undefined): Promise<ImportAnswer> {
    const upload = randomUUID();
    const handle = await open(path, 'r');
    try {
      const piece = Buffer.allocUnsafe(PIECE_BYTES);
      for (let offset = 0; ; ) {
        const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES, offset);
        if (bytesRead === 0 && offset > 0) break;
        await this.sendPiece(
          `api/streams/${stream}/uploads/${upload}?offset=${offset}`,
          piece.subarray(0, bytesRead),
        );
        if (bytesRead === 0) break;
        offset += bytesRead;
      }
    } finally {
      await handle.close();
    }
    return await this.send('POST', `api/streams/${stream}/import`, {
      upload,
      name: basename(path),
      ...(format !== undefined && { format }),
    });
  }

  private async sendPiece(path: string, piece: Buffer): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const headers = { 'content-type': 'application/octet-stream' };
        await (
          await this.request(path, headers, { method: 'PUT', body: new Uint8Array(piece) })
        ).arrayBuffer();
        return;
      } catch (error) {
        if (!(error instanceof TailraceError) || error.status < 500 || attempt === ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, RETRY)));
      }
    }
  }
}
