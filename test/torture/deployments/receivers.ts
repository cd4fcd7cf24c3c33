/** The programs around a router: a viewer with an alert, an archive, `tailrace ship`. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { freePort } from '../../support/free-port.ts';
import { TAILRACE } from '../../support/program.ts';
import { VIEWER, VIEWER_KEY } from '../../support/viewer/viewer.ts';
import { FaultyDisk } from '../faults/faulty-disk.ts';
import { RestartableProgram } from '../processes/restartable.ts';
import type { FollowedFile } from '../senders/followed-file.ts';
import { numberedIn } from '../senders/numbered.ts';

const ARCHIVE = join(process.cwd(), 'dist', 'drains', 'archive', 'main.js');
const VIEWER_TOKEN = 't.0123456789abcdef0123';
const DISK_MB = 512;
const ALERT_PAUSE_MS = 200;

export interface Receiver {
  readonly program: RestartableProgram;
  readonly disk: FaultyDisk;
  readonly port: number;
  remove(): Promise<void>;
}

/** What an alert has told, each notification once. */
export interface AlertBook {
  readonly counts: ReadonlyMap<string, number>;
  readonly violations: readonly string[];
}

export interface ViewerReceiver extends Receiver {
  readonly token: string;
  readonly alerts: AlertBook;
  /** A search that has to find all that came, oldest first. */
  numbers(): Promise<[sender: string, number: number][]>;
  matches(): Promise<number>;
}

/** A viewer with an alert on lines whose numbers end with 00. */
export async function startViewer(library: string | undefined): Promise<ViewerReceiver> {
  const disk = new FaultyDisk(library, DISK_MB);
  const port = await freePort();
  const program = new RestartableProgram({
    name: 'viewer',
    args: [VIEWER],
    env: () => ({
      VIEWER_DATA: disk.folder,
      VIEWER_HTTP_PORT: String(port),
      VIEWER_SYSLOG_PORT: '0',
      VIEWER_LOG_LEVEL: 'warn',
      VIEWER_API_KEY: VIEWER_KEY,
      VIEWER_TOKEN,
      VIEWER_DURABILITY: 'disk',
      VIEWER_STREAM_BYTES: '1MB',
      VIEWER_ALLOW_PRIVATE_WEBHOOKS: 'yes',
      ...disk.env,
    }),
    ready: /listening on (\S+), for syslog/,
  });
  await program.start();
  disk.assertSeesSyncs(program.name);
  const api = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${VIEWER_KEY}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  };
  const { server, book } = await startWebhook();
  const [group] = await api<{ id: string }[]>('GET', '/api/groups');
  const search = await api<{ id: string }>('POST', '/api/searches', {
    name: 'hundreds',
    group: group.id,
    q: '"00#"',
  });
  await api('POST', '/api/alerts', {
    search: search.id,
    cooldown_minutes: 0,
    condition: { kind: 'at-least', count: 1, minutes: 1 },
    destinations: [{ kind: 'webhook', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }],
  });
  return {
    program,
    disk,
    port,
    token: VIEWER_TOKEN,
    alerts: book,
    async numbers() {
      const found: [string, number][] = [];
      for (let after = ''; ; ) {
        const page = await api<{ lines: { message: string }[]; after?: string }>(
          'GET',
          `/api/search?limit=5000&after=${after}`,
        );
        for (const { message } of page.lines) found.push(...numberedIn(message));
        if (page.after === undefined) return found;
        after = page.after;
      }
    },
    async matches() {
      let count = 0;
      for (let after = ''; ; ) {
        const page = await api<{ lines: unknown[]; after?: string }>(
          'GET',
          `/api/search?limit=5000&q=${encodeURIComponent('"00#"')}&after=${after}`,
        );
        count += page.lines.length;
        if (page.after === undefined) return count;
        after = page.after;
      }
    },
    async remove() {
      await program.end('SIGKILL');
      server.closeAllConnections();
      server.close();
      disk.remove();
    },
  };
}

async function startWebhook(): Promise<{ server: Server; book: AlertBook }> {
  const counts = new Map<string, number>();
  const violations: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { id, kind, count } = JSON.parse(String(Buffer.concat(chunks))) as {
      id: string;
      kind: string;
      count: number;
    };
    if (kind === 'fired') {
      const before = counts.get(id);
      if (before !== undefined && before !== count)
        violations.push(`the notification ${id} came with ${before} matches, then with ${count}`);
      counts.set(id, count);
    }
    setTimeout(() => response.writeHead(204).end(), ALERT_PAUSE_MS);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, book: { counts, violations } };
}

export interface ArchiveReceiver extends Receiver {
  numbers(): [sender: string, number: number][];
}

export async function startArchive(library: string | undefined): Promise<ArchiveReceiver> {
  const disk = new FaultyDisk(library, DISK_MB);
  const port = await freePort();
  const program = new RestartableProgram({
    name: 'archive',
    args: [ARCHIVE, '--port', String(port), '--dir', disk.folder, '--max-bytes', '200KB'],
    env: () => disk.env,
    ready: /listening on (\S+),/,
  });
  await program.start();
  return {
    program,
    disk,
    port,
    numbers() {
      const files = readdirSync(disk.folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.log(\.gz)?$/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name))
        .sort((a, b) => (order(a) < order(b) ? -1 : 1));
      return files.flatMap((path) => {
        const bytes = readFileSync(path);
        return numberedIn((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1'));
      });
    },
    async remove() {
      await program.end('SIGKILL');
      disk.remove();
    },
  };
}

/** Rotated files in the order of their names, then the current one. */
function order(path: string): string {
  return path.endsWith('current.log') ? '~' : path.replace(/\.log(\.gz)?$/, '');
}

export async function startShip(
  file: FollowedFile,
  url: () => string,
  token: string,
): Promise<RestartableProgram> {
  const program = new RestartableProgram({
    name: 'ship',
    args: [TAILRACE, 'ship', '-s', 'file', '--follow', file.path, '--from-start', '--spool', file.spool],
    env: () => ({ TAILRACE_URL: url(), TAILRACE_TOKEN: token }),
    ready: /(?:)/,
  });
  await program.start();
  return program;
}
