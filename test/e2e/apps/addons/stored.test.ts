/** What older versions stored, ports that others took, and servers that are killed: add-ons are there as they were. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AddonRecord, AttachmentRecord } from '../../../../src/apps/host/addons/model/addon-record.ts';
import type { ReleaseRecord } from '../../../../src/apps/records/release-record.ts';
import { readSettings } from '../../../../src/common/config/settings.ts';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { openStore } from '../../../../src/logs/store/open.ts';
import { missing } from '../../../support/program.ts';
import { dataFolderForTest, type Server, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

type Config = Readonly<Record<string, string>>;

const config = (server: Server, app: string) => server.request<Config>('GET', `/apps/${app}/config-vars`);

function redisCli(url: string, ...command: string[]): string | undefined {
  try {
    const args = ['--no-auth-warning', '-u', url, ...command];
    return execFileSync('redis-cli', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return undefined;
  }
}

describe.skipIf(missing('redis-server'))('a stored add-on', () => {
  it('of an older version, which its release held, gets a record and an attachment', async () => {
    const data = dataFolderForTest();
    const before = await startServerForTest({ data });
    const app = await before.createApp();
    const { id, name } = await before.request<{ id: string; name: string }>(
      'POST',
      `/apps/${app.name}/addons`,
      {
        plan: 'redis',
      },
    );
    redisCli((await config(before, app.name)).REDIS_URL, 'SET', 'kept', 'yes');
    await before.close();
    await storeAsOlderVersion(data, app.id as AppId);

    const after = await startServerForTest({ data });
    expect(await after.request('GET', `/apps/${app.name}/addons`)).toMatchObject([
      { id, name, state: 'provisioned', config_vars: ['REDIS_URL'], plan: { name: 'heroku-redis:local' } },
    ]);
    const { REDIS_URL: url } = await config(after, app.name);
    expect(url).toMatch(/^redis:\/\/default:\w+@localhost:\d+$/);
    await until('redis with its data', () => redisCli(url, 'GET', 'kept') === 'yes');
    const releases = await after.request<{ description: string }[]>('GET', `/apps/${app.name}/releases`);
    expect(releases.at(-1)?.description).toBe('Update REDIS');
    await after.request('DELETE', `/apps/${app.name}/addons/redis`);
    expect(await config(after, app.name)).toEqual({});
  });

  it('whose port another program has taken listens on another one, and its app is told', async () => {
    const data = dataFolderForTest();
    const before = await startServerForTest({ data });
    const app = await before.createApp();
    await before.request('POST', `/apps/${app.name}/addons`, { plan: 'redis' });
    const { REDIS_URL: url } = await config(before, app.name);
    await before.close();
    const other = createServer().listen(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const after = await startServerForTest({ data });
    await until('the new port', async () => (await config(after, app.name)).REDIS_URL !== url);
    const { REDIS_URL: moved } = await config(after, app.name);
    await until('redis there', () => redisCli(moved, 'PING') === 'PONG');
  });

  it('killed with kill -9 comes back at once, each time, with what it had acknowledged', async () => {
    const data = dataFolderForTest();
    const server = await startServerForTest({ data });
    const app = await server.createApp();
    await server.request('POST', `/apps/${app.name}/addons`, { plan: 'redis' });
    const { REDIS_URL: url } = await config(server, app.name);
    for (let round = 1; round <= 5; round++) {
      expect(redisCli(url, 'INCR', 'rounds')).toBe(String(round));
      const { dynos } = JSON.parse(readFileSync(join(data, 'host', 'dynos.json'), 'utf8'));
      process.kill(dynos[0].pid, 'SIGKILL');
      await until('the next process', () => redisCli(url, 'GET', 'rounds') === String(round));
    }
  });
});

/** Add-ons as they were before they had records of their own. */
async function storeAsOlderVersion(data: string, app: AppId): Promise<void> {
  const settings = readSettings({}, { data, allowPrivateDrains: 'yes', dynoMemory: '512MB' });
  const store = await openStore(settings, SILENT_LOG);
  const addons = await store.list<AddonRecord>('', 'addon/');
  const attachments = await store.list<AttachmentRecord>('', 'attachment');
  const names = await store.list('', 'addon-name/');
  await store.transact(
    '',
    [...addons, ...attachments, ...names].map(({ key }) => ({ key, value: undefined })),
  );
  const [{ value: addon }] = addons;
  const { port, password } = addon.resource as { port: number; password: string };
  const releases = await store.list<ReleaseRecord>(app, 'release/');
  await store.transact(app, [
    { key: `addon/${addon.id}`, value: { id: addon.id, service: 'redis', port, password } },
    ...releases.slice(1).map(({ key, value }) => ({
      key,
      value: {
        ...value,
        addons: value.addons.map((one) => ({ ...one, plan: 'redis:local' })),
        config: { REDIS_URL: `redis://:${password}@127.0.0.1:${port}` },
      },
    })),
  ]);
  await store.close();
}
