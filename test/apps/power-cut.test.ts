/** The power is cut: files that something was answered for, or that a record names, are there as they were. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { SlugFiles } from '../../src/apps/build/slug-files.ts';
import { TransferFiles } from '../../src/apps/host/addons/databases/transfer-files.ts';
import { findServerId } from '../../src/apps/host/addons/server-id.ts';
import { missing } from '../support/program.ts';
import { buildFaultyDisk, FaultyDisk } from '../torture/faults/faulty-disk.ts';

const module = (path: string): string => JSON.stringify(join(process.cwd(), 'dist/src', path));

it.skipIf(missing('cc', 'libc.so'))('what was answered for survives a power cut', async () => {
  const disk = new FaultyDisk(buildFaultyDisk(), 0);
  onTestFinished(() => disk.remove());
  const at = (name: string): string => join(disk.folder, name);
  for (const name of ['app', 'host', 'transfers', 'transfers/app', 'tailrace']) mkdirSync(at(name));
  writeFileSync(at('app/main.js'), 'a program');
  writeFileSync(at('again.json'), 'old');
  disk.startOver();
  const program = `
    import { writeFileSync } from 'node:fs';
    import { replaceFile } from ${module('common/files/replace-file.js')};
    import { SlugFiles } from ${module('apps/build/slug-files.js')};
    import { BackupSchedules } from ${module('apps/host/addons/databases/schedules.js')};
    import { TransferFiles } from ${module('apps/host/addons/databases/transfer-files.js')};
    import { requireServerId } from ${module('apps/host/addons/server-id.js')};
    import { saveLogin } from ${module('cli/access/credentials.js')};
    await replaceFile('again.json', 'new', { sync: false });
    const slugs = new SlugFiles('slugs');
    await slugs.open();
    await slugs.pack('slug', 'app');
    await slugs.copy('slug', 'copy');
    const schedules = new BackupSchedules({ file: 'host/schedules.json' });
    const wanted = { hour: 3, timezone: 'UTC', name: 'DATABASE_URL' };
    await Promise.all(['one', 'other'].map((id) => schedules.add({ id }, wanted)));
    const transfers = new TransferFiles('transfers');
    const record = await transfers.create('app', (num) => ({ num, uuid: 'a backup' }));
    writeFileSync(transfers.unfinished('app', record.num), 'a dump');
    await transfers.finish('app', record.num);
    await transfers.update('app', { ...record, succeeded: true });
    saveLogin({ url: 'http://localhost', key: 'a key', id: 'id', email: 'a@example.com' });
    process.stdout.write(requireServerId('host/addons'));`;
  const serverId = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: disk.folder,
    env: { ...process.env, ...disk.env, XDG_CONFIG_HOME: disk.folder },
    encoding: 'utf8',
  });
  disk.cutPower('exact', () => 0);

  // What isn't synced shows that this disk forgets.
  expect(readFileSync(at('again.json'), 'utf8')).toBe('old');
  expect(findServerId(at('host/addons'))).toBe(serverId);
  const slugs = new SlugFiles(at('slugs'));
  await slugs.open();
  for (const slug of ['slug', 'copy']) {
    const { folder } = await slugs.createWorkspace(slug, `dyno-of-${slug}`);
    expect(readFileSync(join(folder, 'main.js'), 'utf8')).toBe('a program');
  }
  const schedules = JSON.parse(readFileSync(at('host/schedules.json'), 'utf8')) as { addon: string }[];
  expect(schedules.map(({ addon }) => addon)).toEqual(['one', 'other']);
  const transfers = new TransferFiles(at('transfers'));
  const [record] = await transfers.list('app' as Parameters<TransferFiles['list']>[0]);
  expect(record).toMatchObject({ num: 1, succeeded: true });
  expect(readFileSync(at('transfers/app/1.dump'), 'utf8')).toBe('a dump');
  expect(readFileSync(at('tailrace/credentials.json'), 'utf8')).toContain('a key');
});
