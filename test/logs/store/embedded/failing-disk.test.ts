/**
 * A disk on which some writes fail for a while, below LMDB too: a server goes on when it is well again, and ends when it is told to. And one
 * whose power is cut, when many files are synced with one call.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { newAppId } from '../../../support/batches.ts';
import { missing } from '../../../support/program.ts';
import { startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';
import { buildFaultyDisk, FaultyDisk } from '../../../torture/faults/faulty-disk.ts';

/** Requests with names, each a record in LMDB, while so many of a thousand writes fail: most runs hit a page that LMDB gives its file up for. */
const REQUESTS = 100;
const PERMILLE = 300;
/** Taken, or not now. */
const EXPECTED = [200, 202, 204, 503, 507];

it.skipIf(missing('cc', 'libc.so'))(
  'goes on after writes that failed, without a process that ends or never does',
  async () => {
    const disk = new FaultyDisk(buildFaultyDisk(), 0);
    try {
      const server = await startServerForTest({ data: disk.folder, env: disk.env });
      const { name, token } = await server.createApp();
      let sent = 0;
      const unexpected: string[] = [];
      const send = async (): Promise<number> => {
        const number = ++sent;
        const response = await fetch(`${server.url}/logs`, {
          method: 'POST',
          headers: {
            authorization: `Basic ${btoa(`token:${token}`)}`,
            'content-type': 'text/plain',
            'logplex-frame-id': `frame-${number}`,
          },
          body: `line ${number}\n`,
        });
        const answer = await response.text();
        if (!EXPECTED.includes(response.status))
          unexpected.push(`${response.status} ${answer} ${server.program.stderr.slice(-1_500)}`);
        return response.status;
      };
      const configure = async (): Promise<number> => {
        const response = await fetch(`${server.url}/apps/${name}/config-vars`, {
          method: 'PATCH',
          headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
          body: JSON.stringify({ TURN: String(sent) }),
        });
        const answer = await response.text();
        if (!EXPECTED.includes(response.status))
          unexpected.push(`${response.status} ${answer} ${server.program.stderr.slice(-1_500)}`);
        return response.status;
      };
      disk.set('write-fails', PERMILLE);
      const statuses = new Set<number>();
      for (let i = 0; i < REQUESTS / 2; i++)
        for (const status of await Promise.all([send(), send(), ...(i % 2 === 0 ? [configure()] : [])]))
          statuses.add(status);
      disk.set('none');
      expect(unexpected).toEqual([]);
      expect(statuses.has(503)).toBe(true);
      await until(
        'lines and records to be stored again',
        async () => (await send()) < 300 && (await configure()) < 300,
      );
      expect(server.program.hasExited).toBe(false);

      disk.set('write-fails', 1_000);
      await send();
      const ended = await server.program.stop('SIGTERM');
      expect(ended.status).toBe(0);
    } finally {
      disk.remove();
    }
  },
);

/** More than are synced one by one. */
const STREAMS = 150;
const STORE_MODULE = JSON.stringify(join(process.cwd(), 'dist/src/logs/store/embedded/embedded-store.js'));

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'tailrace-syncs-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

/** The programs that a store finds: those of the system, none, or a `sync` that is this script. */
const PROGRAMS = [
  { name: 'with one call', script: undefined, path: process.env.PATH, isTogether: true },
  { name: 'one by one, without the program', script: undefined, path: '/nowhere', isTogether: false },
  { name: 'one by one, if it fails', script: 'exit 1', path: undefined, isTogether: false },
  { name: 'one by one, if it is killed', script: 'kill -9 $PPID', path: undefined, isTogether: false },
];

it.skipIf(missing('cc', 'libc.so')).each(PROGRAMS)(
  'syncs the files of many streams before the commit log is removed: $name',
  async ({ script, path, isTogether }) => {
    const disk = new FaultyDisk(buildFaultyDisk(), 0);
    try {
      const apps = Array.from({ length: STREAMS }, newAppId);
      const programs = join(work, 'programs');
      if (script !== undefined) {
        mkdirSync(programs);
        writeFileSync(join(programs, 'sync'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      }
      const program = `
        import { EmbeddedStore } from ${STORE_MODULE};
        const retention = { lines: 1e9, bytes: 1e9, ageMs: 1e9 };
        const store = new EmbeddedStore({ folder: ${JSON.stringify(disk.folder)}, durability: 'process', retention });
        for (let turn = 0; turn < 3; turn++)
          await Promise.all(${JSON.stringify(apps)}.map((app) => {
            const bytes = Buffer.alloc(100, 97);
            bytes.writeUInt32LE(bytes.length - 44, 32);
            return store.append(app, { bytes, count: 1 });
          }));
        await store.close();`;
      const trace = join(work, 'trace.json');
      const flags = ['--trace-event-categories', 'node.fs.async', '--trace-event-file-pattern', trace];
      execFileSync(process.execPath, [...flags, '--input-type=module', '-e', program], {
        env: { ...process.env, ...disk.env, PATH: path ?? `${programs}:${process.env.PATH}` },
      });
      const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8')) as {
        traceEvents: { name: string; ph: string }[];
      };
      const syncs = traceEvents.filter(({ name, ph }) => name === 'fdatasync' && ph === 'b').length;
      if (isTogether) expect(syncs).toBeLessThan(STREAMS / 10);
      else expect(syncs).toBeGreaterThanOrEqual(STREAMS);
      disk.cutPower('exact', () => 0);
      const store = new EmbeddedStore({
        folder: disk.folder,
        durability: 'process',
        retention: { lines: 1e9, bytes: 1e9, ageMs: 1e9 },
      });
      const bounds = await Promise.all(apps.map((app) => store.bounds(app)));
      expect(bounds.map(({ first, last }) => [first, last])).toEqual(apps.map(() => [1, 3]));
      await store.close();
    } finally {
      disk.remove();
    }
  },
);
