/** Archives of a running viewer: over hours and kill -9, searched, exported, imported again. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock, missingFakeClock } from '../../../support/fake-clock.ts';
import { type ExitResult, missing, Program, runProgram } from '../../../support/program.ts';

const MAIN = join(import.meta.dirname, '..', '..', '..', '..', 'dist', 'drains', 'viewer', 'main.js');
const KEY = 'key-of-the-archive-test';
const TOKEN = 't.archive-test-token-0123456789';
const HOUR_MS = 3_600_000;

let folder: string;
let clock: FakeClock;
let viewer: Program;
let url: string;

async function start(): Promise<void> {
  viewer = new Program(
    process.execPath,
    [MAIN, '--http-port', '0', '--syslog-port', '0', '--syslog-tls-port', '0'],
    {
      env: {
        ...clock.env,
        VIEWER_DATA: join(folder, 'data'),
        VIEWER_API_KEY: KEY,
        VIEWER_TOKEN: TOKEN,
        VIEWER_ARCHIVE: join(folder, 'archive'),
        VIEWER_KEEP: '5h',
      },
    },
  );
  url = (await viewer.waitForOutput(/listening on (\S+),/))[1];
}

async function api<T>(path: string, init: { method?: string; body?: object } = {}): Promise<T> {
  const response = await fetch(`${url}/api/${path}`, {
    method: init.method ?? 'GET',
    headers: { authorization: `Bearer ${KEY}`, ...(init.body && { 'content-type': 'application/json' }) },
    ...(init.body && { body: JSON.stringify(init.body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text) as T;
}

async function send(from: number, count: number, atMs: number): Promise<void> {
  const time = new Date(atMs).toISOString();
  const lines = Array.from(
    { length: count },
    (_, i) => `<190>1 ${time} host app web.1 - - line ${from + i} status=${200 + (i % 5)}`,
  );
  const response = await fetch(`${url}/logs`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`token:${TOKEN}`).toString('base64')}`,
      'content-type': 'application/logplex-1',
      'logplex-msg-count': String(count),
      'logplex-frame-id': `frame-${from}`,
    },
    body: lines.map((line) => `${Buffer.byteLength(line)} ${line}`).join(''),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

function archived(): string[] {
  if (!existsSync(join(folder, 'archive'))) return [];
  return readdirSync(join(folder, 'archive'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.gz'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function archivedNumbers(): number[] {
  return archived()
    .flatMap((path) => gunzipSync(readFileSync(path)).toString().trimEnd().split('\n'))
    .map((line) => Number(/^line (\d+)/.exec(JSON.parse(line).message)?.[1]));
}

function run(...args: string[]): Promise<ExitResult> {
  return runProgram(process.execPath, [MAIN, ...args], {
    env: { ...clock.env, VIEWER_URL: url, VIEWER_KEY: KEY },
  });
}

interface Listing {
  readonly archive: string;
  readonly trouble?: string;
  readonly files: { name: string; lines: number; streams: { id: string; name: string }[]; sha256: string }[];
  readonly problems: string[];
}

describe.skipIf(missingFakeClock() || missing('gzip', 'cut'))('a viewer with an archive', () => {
  const nowMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  /** The clock of the viewer says this hour of a day long past, 10 minutes into it. */
  const dayMs = Math.floor(nowMs / 86_400_000 - 3) * 86_400_000;
  const set = (hour: number): number => {
    const at = dayMs + hour * HOUR_MS + 600_000;
    clock.set(at - Date.now());
    return at;
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'viewer-archive-'));
    clock = new FakeClock();
    set(1);
    await start();
  });
  afterAll(async () => {
    await viewer.stop();
    clock.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('has each line once in its files, over hours and kill -9 at any moment', async () => {
    let sent = 0;
    for (let hour = 1; hour <= 3; hour++) {
      const at = set(hour);
      for (let i = 0; i < 4; i++, sent += 2_000) await send(sent, 2_000, at);
      set(hour + 1);
      // It is killed a little later each time, while it archives.
      const archiving = api('archives/run', { method: 'POST' }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, hour * 15));
      await viewer.stop('SIGKILL');
      await archiving;
      await start();
    }
    set(30);
    await api('archives/run', { method: 'POST' });
    const numbers = archivedNumbers();
    expect(numbers).toHaveLength(sent);
    expect(new Set(numbers).size).toBe(sent);
    const listing = await api<Listing>('archives');
    expect(listing.problems).toEqual([]);
    expect(listing.trouble).toBeUndefined();
    const status = await api<{ archive: { archive: string; removed: object; trouble?: string } }>('status');
    expect(status.archive).toMatchObject({ archive: join(folder, 'archive'), removed: { byBytes: 0 } });
    expect(listing.files.reduce((sum, { lines }) => sum + lines, 0)).toBe(sent);
  });

  it('is searched there, by the command as by the API', async () => {
    const nothing = await run('search', '--archive', '"line 77777"');
    expect([nothing.status, nothing.stdout]).toEqual([1, '']);
    const found = await run('search', '--archive', '"line 17777"');
    expect([found.stderr, found.status]).toEqual(['', 0]);
    expect(found.stdout).toContain('app[web.1]: line 17777 status=202');
    const page = await api<{ lines: { message: string; file: string }[]; before: string }>(
      'archives/search?q=status:204&limit=3',
    );
    expect(page.lines.map(({ message }) => message)).toEqual([
      'line 23999 status=204',
      'line 23994 status=204',
      'line 23989 status=204',
    ]);
    const next = await api<typeof page>(`archives/search?q=status:204&limit=1&before=${page.before}`);
    expect(next.lines[0].message).toBe('line 23984 status=204');
    await expect(api('archives/search?before=nonsense')).rejects.toThrow('422');
  });

  it('is downloaded as it is, and as Papertrail’s', async () => {
    const [{ name, lines, sha256, streams }] = (await api<Listing>('archives')).files;
    const get = (path: string): Promise<Response> =>
      fetch(`${url}/api/archives/${path}`, { headers: { authorization: `Bearer ${KEY}` } });
    const stored = await get(name);
    expect(stored.headers.get('repr-digest')).toBe(
      `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
    );
    const bytes = Buffer.from(await stored.arrayBuffer());
    expect(bytes.equals(readFileSync(join(folder, 'archive', name)))).toBe(true);
    const rows = gunzipSync(
      Buffer.from(await (await get(`${name}?format=papertrail`)).arrayBuffer()),
    ).toString();
    expect(rows.trimEnd().split('\n')).toHaveLength(lines);
    expect(rows.split('\n')[0].split('\t').slice(4)).toEqual([
      // The app, where the host is what all drains write.
      streams[0].name,
      '',
      'Local7',
      'Info',
      'app/web.1',
      expect.stringMatching(/^line \d+ status=200$/),
    ]);
    for (const path of ['..%2f..%2fdata%2fx', '../../etc/passwd', 'default/none.ndjson.gz', '%00'])
      expect((await get(path)).status, path).toBeGreaterThanOrEqual(400);
    expect((await fetch(`${url}/api/archives`)).status).toBe(401);
  });

  it('is imported again, once, and the lines are found as before', async () => {
    const { files } = await api<Listing>('archives');
    const file = files.at(-1)!;
    const body = { name: file.name };
    expect((await api<{ lines: number }>('archives/import', { method: 'POST', body })).lines).toBe(
      file.lines,
    );
    expect((await api<{ lines: number }>('archives/import', { method: 'POST', body })).lines).toBe(0);
    const [group] = await api<{ id: string }[]>('groups');
    const restored = await api<{ id: string }>(`groups/${group.id}/streams`, {
      method: 'POST',
      body: { name: 'restored' },
    });
    const into = { ...body, stream: restored.id };
    expect((await api<{ lines: number }>('archives/import', { method: 'POST', body: into })).lines).toBe(
      file.lines,
    );
    const found = await api<{ lines: { message: string }[] }>(
      `search?q="line 7 "&limit=10&stream=${restored.id}`,
    );
    expect(found.lines.map(({ message }) => message)).toEqual(['line 7 status=202']);
    // A file that isn't what was written is refused, and nothing of it taken.
    const path = join(folder, 'archive', file.name);
    const whole = readFileSync(path);
    writeFileSync(path, gzipSync(`${gunzipSync(whole)}{"x":1}\n`));
    await expect(api('archives/import', { method: 'POST', body })).rejects.toThrow(
      /isn't what was written: its SHA-256 is/,
    );
    writeFileSync(path, whole);
  });

  it('takes old archives of Papertrail, each once, and gives them back in the same form', async () => {
    const row = (i: number): string =>
      `${i}\t2016-10-31T00:${String(i % 60).padStart(2, '0')}:06Z\t2016-10-31T00:00:07Z\t4\tsys\t1.2.3.4\tUser\tError\tapp/web.1\told ${i}\\n\\tin two`;
    const text = Array.from({ length: 8_000 }, (_, i) => `${row(i)}\n`).join('');
    const old = join(folder, '2016-10-31.tsv.gz');
    writeFileSync(old, gzipSync(text));
    const cut = join(folder, 'cut.tsv.gz');
    writeFileSync(cut, gzipSync(text).subarray(0, 2_000));
    const other = join(folder, 'other.bin');
    writeFileSync(other, 'not lines at all');
    const imported = await run(
      'import',
      cut,
      old,
      other,
      join(folder, 'none'),
      '--group',
      'default',
      '--stream',
      'old',
    );
    expect(imported.stdout).toBe(`${old}: 8000 lines imported into default/old\n`);
    expect(imported.stderr).toContain(' ›   cut.tsv.gz was cut off: its gzip data end too early.');
    expect(imported.stderr).toContain(" ›   other.bin can't be read: its first line is no JSON object");
    expect(imported.stderr).toMatch(/none can't be read \(ENOENT\)/);
    expect(imported.status).toBe(1);
    const again = await run('import', old, '-g', 'default', '-s', 'old');
    expect([again.status, again.stdout]).toEqual([0, `${old}: nothing new imported into default/old\n`]);
    // However old they are: somebody wanted them.
    await api('archives/run', { method: 'POST' });
    const found = await run('search', '--json', '-s', 'old', 'severity:error "old 77"', '-n', '1000');
    const lines = found.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    // Of the numbers below 8,000 those with 77 in front.
    expect(lines).toHaveLength(1 + 10 + 100);
    expect(lines.map(({ message }) => message)).toContain('old 77\n\tin two');
    const exported = await run(
      'export',
      '-g',
      'default',
      '-s',
      'old',
      '-o',
      join(folder, 'out'),
      '--until',
      '2016-12-01T00:00:00Z',
    );
    expect([exported.stderr, exported.status]).toEqual(['', 0]);
    const path = join(folder, 'out', 'dt=2016-10-31', '2016-10-31.tsv.gz');
    expect(exported.stdout).toBe(`${path}: 8000 lines\n`);
    const tenth = await runProgram('sh', [
      '-c',
      `gzip -cd '${path}' | cut -f10 | sort | uniq -c | sort -n | wc -l`,
    ]);
    expect(tenth.stdout.trim()).toBe('8000');
    const columns = gunzipSync(readFileSync(path)).toString().split('\n')[0].split('\t');
    expect(columns.slice(4)).toEqual(['sys', '', 'User', 'Error', 'app/web.1', 'old 0\\n\\tin two']);
  });

  it('is for those alone who may read its groups, and write into them', async () => {
    const other = await api<{ id: string }>('groups', { method: 'POST', body: { name: 'other' } });
    const body = { name: 'of the other group', scope: 'admin', groups: [other.id] };
    const { key } = await api<{ key: string }>('keys', { method: 'POST', body });
    const [{ name, streams }] = (await api<Listing>('archives')).files;
    const as = (path: string, method = 'GET', value?: object): Promise<Response> =>
      fetch(`${url}/api/${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, ...(value && { 'content-type': 'application/json' }) },
        ...(value && { body: JSON.stringify(value) }),
      });
    expect(await (await as('archives')).json()).toEqual({ archive: 'on', files: [] });
    expect((await as(`archives/${name}`)).status).toBe(404);
    expect(await (await as('archives/search?q=line')).json()).toMatchObject({ lines: [] });
    expect((await as('archives/import', 'POST', { name })).status).toBe(404);
    expect((await as('archives/run', 'POST')).status).toBe(403);
    expect((await as(`streams/${streams[0].id}/uploads/an-upload?offset=0`, 'PUT')).status).toBe(404);
    expect((await as(`archives/export?stream=${streams[0].id}`)).status).toBe(404);
  });

  it('takes a file in pieces, also one that is sent again', async () => {
    const [group] = await api<{ id: string }[]>('groups');
    const { id } = await api<{ id: string }>(`groups/${group.id}/streams`, {
      method: 'POST',
      body: { name: 'pieces' },
    });
    const put = async (offset: number, piece: Buffer | string): Promise<{ status: number; text: string }> => {
      const response = await fetch(`${url}/api/streams/${id}/uploads/upload-1?offset=${offset}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${KEY}` },
        body: typeof piece === 'string' ? piece : new Uint8Array(piece),
      });
      return { status: response.status, text: await response.text() };
    };
    const text = '2023-11-28T20:00:00Z app[web.1]: one\n2023-11-28T20:00:01Z app[web.1]: two\n';
    expect(await put(0, text.slice(0, 50))).toEqual({ status: 200, text: '{"bytes":50}' });
    expect(await put(60, text.slice(60))).toMatchObject({
      status: 409,
      text: expect.stringContaining('offset=50'),
    });
    expect(await put(40, text.slice(40))).toEqual({ status: 200, text: `{"bytes":${text.length}}` });
    expect((await put(text.length, Buffer.alloc(9 << 20))).status).toBe(413);
    const imported = await api(`streams/${id}/import`, { method: 'POST', body: { upload: 'upload-1' } });
    expect(imported).toMatchObject({ lines: 2, unreadable: 0, format: 'text' });
    await expect(
      api(`streams/${id}/import`, { method: 'POST', body: { upload: 'upload-1' } }),
    ).rejects.toThrow('404');
  });

  it('doesn’t start with an archive that can’t be', async () => {
    const env = { VIEWER_DATA: join(folder, 'other'), VIEWER_ARCHIVE: 's3://logs', VIEWER_LOG_LEVEL: 'warn' };
    const refused = await runProgram(process.execPath, [MAIN, '--http-port', '0', '--syslog-port', '0'], {
      env,
    });
    expect([refused.status, refused.stderr]).toEqual([
      1,
      ' ›   Error: VIEWER_ARCHIVE names a bucket: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY as well.\n',
    ]);
  });

  it('has a retention for each group', async () => {
    const [{ id }] = await api<{ id: string }[]>('groups');
    const path = `groups/${id}/retention`;
    expect(await api(path)).toEqual({ keep: null, bytes: null, effective: { keep: '18000s', bytes: null } });
    expect(await api(path, { method: 'PUT', body: { keep: '90d', bytes: 1e9 } })).toMatchObject({
      keep: '90d',
      bytes: 1e9,
    });
    await expect(api(path, { method: 'PUT', body: { keep: 'long' } })).rejects.toThrow('is no duration');
    await expect(api(path, { method: 'PUT', body: { bytes: -1 } })).rejects.toThrow(
      'bytes must be a whole number above 0',
    );
  });
});
