/** Backups of a store in this process: what is in one, what the next leaves out, and what isn't taken for one. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupManifest } from '../../../src/logs/backup/backup-layout.ts';
import { checkBackup, checkBackupChain } from '../../../src/logs/backup/read-backup.ts';
import { restoreBackup } from '../../../src/logs/backup/restore-backup.ts';
import { type BackupSource, writeBackup } from '../../../src/logs/backup/write-backup.ts';
import { limitsKey } from '../../../src/logs/store/app-limits.ts';
import type { AppId, RecordChange, Retention } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { countEdition } from '../../../src/logs/store/stream-edition.ts';
import { batchOf, linesOf, newAppId } from '../../support/batches.ts';
import { readAll } from '../store/conformance/streams.ts';

const RETENTION: Retention = { lines: 1e9, bytes: 1e9, ageMs: 1e13 };

let folder: string;
let stores: EmbeddedStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-backup-'));
  stores = [];
});
afterEach(async () => {
  for (const store of stores) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(name: string, retention: Partial<Retention> = {}): EmbeddedStore {
  const store = new EmbeddedStore({
    folder: join(folder, name),
    retention: { ...RETENTION, ...retention },
    durability: 'process',
  });
  stores.push(store);
  return store;
}

/** Its streams are the records `stream/…` of no app, whose scopes have records, too. */
function sourceOf(store: EmbeddedStore, files: readonly string[] = []): BackupSource {
  const ids = (platform: readonly { key: string }[]): AppId[] =>
    platform
      .filter(({ key }) => key.startsWith('stream/'))
      .map(({ key }) => key.slice('stream/'.length) as AppId);
  return {
    program: 'tailrace',
    version: '9.9.9',
    store,
    folder: join(folder, 'data'),
    scopesOf: ids,
    streamsOf: (platform) => ids(platform).map((id) => ({ id, name: `app-${id.slice(0, 4)}` })),
    filesOf: async () => files,
  };
}

async function newStream(store: EmbeddedStore): Promise<AppId> {
  const id = newAppId();
  await store.transact('', [{ key: `stream/${id}`, value: { id } }]);
  return id;
}

async function backup(name: string, source: BackupSource, since?: BackupManifest): Promise<string> {
  const parts: Buffer[] = [];
  for await (const piece of writeBackup(source, since)) parts.push(piece);
  const file = join(folder, name);
  writeFileSync(file, Buffer.concat(parts));
  return file;
}

async function restore(file: string, name: string, retention?: Partial<Retention>) {
  const store = open(name, retention);
  const adapt = (_scope: string, change: RecordChange): RecordChange[] => [change];
  const report = await restoreBackup(await checkBackupChain(file, []), {
    store,
    folder: join(folder, `${name}-files`),
    adapt,
  });
  return { store, report };
}

const members = (file: string): string[] =>
  execFileSync('tar', ['-tf', file]).toString().trimEnd().split('\n');

describe('a backup', () => {
  it('of an app that may hold more than others has all of it when it is restored', async () => {
    const store = open('data');
    const [long, usual] = [await newStream(store), await newStream(store)];
    await store.transact('', [{ key: limitsKey(long), value: { lines: 100 } }]);
    for (let i = 0; i < 10; i++) for (const app of [long, usual]) await store.append(app, batchOf(`${i}`));
    const file = await backup('one.tar', sourceOf(store));
    const { store: there } = await restore(file, 'there', { lines: 4 });
    expect(linesOf(await readAll(there, long))).toHaveLength(10);
    expect(linesOf(await readAll(there, usual))).toHaveLength(4);
    expect(there.limits.of(long)).toEqual({ lines: 100 });
  });

  it('has records, lines with their numbers and times, and files; other programs read it', async () => {
    const store = open('data');
    const [amber, empty] = [await newStream(store), await newStream(store)];
    await store.transact(amber, [{ key: 'a', value: { text: 'ä' } }]);
    for (const text of ['one', 'two', 'three']) await store.append(amber, batchOf(text, `${text}!`));
    const long = 'files-with-long-names/'.repeat(6);
    mkdirSync(join(folder, 'data', long), { recursive: true });
    writeFileSync(join(folder, 'data', long, 'slug.tgz'), 'slug');
    const files = [`${long}slug.tgz`, 'not-there'];
    const file = await backup('one.tar', sourceOf(store, files));

    const { manifest } = await checkBackup(file);
    expect(manifest).toMatchObject({ records: 3, missing_files: 1, version: '9.9.9', since: null });
    expect(manifest.files).toMatchObject([{ path: files[0], bytes: 4 }]);
    expect(members(file).at(0)).toBe('backup.json');
    expect(members(file).at(-1)).toBe('SHA256SUMS');
    mkdirSync(join(folder, 'out'));
    execFileSync('tar', ['-xf', file, '-C', join(folder, 'out')]);
    execFileSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: join(folder, 'out') });
    expect(readFileSync(join(folder, 'out', 'records', `${amber}.jsonl`), 'utf8')).toBe(
      '{"key":"a","value":{"text":"ä"}}\n',
    );

    const { store: there, report } = await restore(file, 'there');
    expect(report.streams.map(({ lines }) => lines).sort()).toEqual([0, 6]);
    expect(await readAll(there, amber)).toEqual(
      (await readAll(store, amber)).map((batch) => ({ ...batch, bytes: expect.anything() })),
    );
    expect(linesOf(await readAll(there, amber))).toEqual(linesOf(await readAll(store, amber)));
    expect(await there.bounds(empty)).toMatchObject({ first: 1, last: 0 });
    expect((await there.get(amber, 'a'))?.value).toEqual({ text: 'ä' });
    expect(readFileSync(join(folder, 'there-files', files[0]), 'utf8')).toBe('slug');
  });

  it('goes on from another one with what is new, and with all of a stream that isn’t the same any more', async () => {
    const store = open('data');
    const [amber, birch, cedar] = [await newStream(store), await newStream(store), await newStream(store)];
    for (const app of [amber, birch, cedar]) await store.append(app, batchOf('one', 'two'));
    writeFileSync(join(folder, 'data', 'slug'), 'as it was');
    const source = sourceOf(store, ['slug']);
    const first = (await checkBackup(await backup('1.tar', source))).manifest;

    await store.append(amber, batchOf('three'));
    // Lines of this one were deleted, and that one was made anew.
    await countEdition(store, birch);
    await store.dropStream(cedar);
    await store.append(cedar, batchOf('ein', 'anderer'));
    const second = await backup('2.tar', source, first);
    const own = members(second).filter((path) => /^(?:lines|files)/.test(path));
    expect(own.sort()).toEqual(
      [`lines/${amber}/3-3.batches`, `lines/${birch}/1-2.batches`, `lines/${cedar}/1-2.batches`].sort(),
    );
    await store.append(amber, batchOf('four'));
    const third = await backup('3.tar.gz', source, (await checkBackup(second)).manifest);
    writeFileSync(third, gzipSync(readFileSync(third)));

    const { store: there } = await restore(third, 'there');
    expect(linesOf(await readAll(there, amber))).toEqual(['one', 'two', 'three', 'four']);
    expect(linesOf(await readAll(there, birch))).toEqual(['one', 'two']);
    expect(linesOf(await readAll(there, cedar))).toEqual(['ein', 'anderer']);
    expect(readFileSync(join(folder, 'there-files', 'slug'), 'utf8')).toBe('as it was');
    rmSync(join(folder, '1.tar'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await expect(checkBackupChain(third, [])).rejects.toThrow(/goes on from the backup of .* put it there/);
  });

  it('of a stream that was trimmed meanwhile has what was still held, and goes on behind its numbers', async () => {
    const store = open('data', { lines: 4 });
    const [amber, birch] = [await newStream(store), await newStream(store)];
    await store.append(amber, batchOf('one', 'two', 'three'));
    const first = (await checkBackup(await backup('1.tar', sourceOf(store)))).manifest;
    for (const text of ['four', 'five', 'six']) await store.append(amber, batchOf(text));
    const file = await backup('2.tar', sourceOf(store), first);
    const { store: there } = await restore(file, 'there');
    expect(linesOf(await readAll(there, amber))).toEqual(['four', 'five', 'six']);
    expect((await there.append(amber, batchOf('seven'))).first).toBe(7);
    expect((await there.append(birch, batchOf('one'))).first).toBe(1);
  });

  it('has records as they were at one time, though they change while they are read', async () => {
    const store = open('data');
    const apps = await Promise.all(Array.from({ length: 20 }, () => newStream(store)));
    let count = 0;
    let isOver = false;
    // Each round writes the same number everywhere, the scope of no app last.
    const writer = (async () => {
      for (; !isOver; count++) {
        for (const app of apps) await store.transact(app, [{ key: 'n', value: count }]);
        await store.transact('', [{ key: 'n', value: count }]);
        await new Promise((resolve) => setImmediate(resolve));
        if (count === 30) return;
      }
    })();
    const file = await backup('1.tar', sourceOf(store));
    isOver = true;
    await writer;
    const { store: there } = await restore(file, 'there');
    const numbers = await Promise.all(apps.map(async (app) => (await there.get<number>(app, 'n'))?.value));
    const platform = (await there.get<number>('', 'n'))?.value;
    for (const number of numbers) expect([platform, (platform ?? -1) + 1]).toContain(number ?? 0);
  });
});

describe('what isn’t whole', () => {
  it('is refused with a sentence, wherever it was cut off or a byte was changed', async () => {
    const store = open('data');
    const app = await newStream(store);
    await store.append(app, batchOf('one', 'two'));
    const bytes = readFileSync(await backup('1.tar', sourceOf(store)));
    const whole = await checkBackup(join(folder, '1.tar'));
    const file = join(folder, 'changed.tar');
    const refusal = /^\S+ is (?:damaged \(|no backup: )/;
    // All but the last of the zeros behind the end.
    for (let length = 0; length < bytes.length - 1_024; length += 97) {
      writeFileSync(file, bytes.subarray(0, length));
      await expect(checkBackup(file)).rejects.toThrow(refusal);
    }
    let refused = 0;
    for (let at = 0; at < bytes.length; at += 13) {
      const changed = Buffer.from(bytes);
      changed[at] ^= 1 << (at % 8);
      writeFileSync(file, changed);
      const read = await checkBackup(file).catch((error: Error) => error);
      if (read instanceof Error) {
        expect(read.message).toMatch(refusal);
        refused++;
      } else expect(read.manifest).toEqual(whole.manifest); // zeros between members, times
    }
    expect(refused).toBeGreaterThan(100);
  });

  it('nor is another archive, a folder, or a backup of a later version', async () => {
    const store = open('data');
    const [file] = [await backup('1.tar', sourceOf(store))];
    execFileSync('tar', ['-cf', join(folder, 'other.tar'), '-C', folder, '1.tar']);
    for (const other of ['other.tar', 'data'])
      await expect(checkBackup(join(folder, other))).rejects.toThrow(/is no backup/);
    await expect(checkBackup(join(folder, 'nothing'))).rejects.toThrow(/can't be read \(ENOENT\)/);
    const later = readFileSync(file).toString('latin1').replace('"format": 1,', '"format": 2,');
    writeFileSync(file, later, 'latin1');
    await expect(checkBackup(file)).rejects.toThrow(/written by a newer version \(format 2/);
  });

  it('nor is one whose manifest leads out of the data folder, or has no sense, although its checksums are right', async () => {
    const store = open('data');
    await newStream(store);
    const whole = readFileSync(await backup('1.tar', sourceOf(store)));
    const { manifest } = await checkBackup(join(folder, '1.tar'));
    const out = join(folder, 'out');
    mkdirSync(out);
    writeFileSync(join(folder, 'whole.tar'), whole);
    execFileSync('tar', ['-xf', join(folder, 'whole.tar'), '-C', out]);
    const forge = (changes: object, path: string): string => {
      writeFileSync(join(out, 'manifest.json'), JSON.stringify({ ...manifest, ...changes }));
      writeFileSync(join(folder, 'evil'), 'evil');
      const names = ['backup.json', 'manifest.json'];
      const sums = names.map((name) => execFileSync('sha256sum', [name], { cwd: out }).toString());
      const evil = execFileSync('sha256sum', ['evil'], { cwd: folder }).toString().slice(0, 64);
      writeFileSync(join(out, 'SHA256SUMS'), `${sums.join('')}${evil}  files/${path}\n`);
      const file = join(folder, 'forged.tar');
      execFileSync('tar', ['-cPf', file, '-C', out, 'backup.json', 'manifest.json']);
      execFileSync('tar', ['-rPf', file, '-C', folder, `--transform=s,^evil$,files/${path},`, 'evil']);
      execFileSync('tar', ['-rPf', file, '-C', out, 'SHA256SUMS']);
      return file;
    };
    const withFile = (path: string) =>
      forge({ files: [{ path, backup: manifest.id, bytes: 4, mtime_ms: 0 }] }, path);
    expect((await restore(withFile('host/slugs/a.tgz'), 'good')).report.files).toBe(1);
    for (const path of ['../outside', 'host/../../outside', '/outside', 'host//outside', './outside'])
      await expect(checkBackup(withFile(path)), path).rejects.toThrow(/is damaged \(manifest/);
    for (const changes of [{ backups: [] }, { streams: {} }, { streams: [null] }, { files: 3 }, { id: 7 }])
      await expect(checkBackup(forge(changes, 'x'))).rejects.toThrow(/is damaged \(manifest/);
  });
});
