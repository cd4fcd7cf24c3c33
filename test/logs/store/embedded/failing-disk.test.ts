/** A disk on which some writes fail for a while, below LMDB too: a server goes on when it is well again, and ends when it is told to. */
import { expect, it } from 'vitest';
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
