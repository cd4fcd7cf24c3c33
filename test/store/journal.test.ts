import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppId } from '../../src/store/contract.ts';
import { Journal } from '../../src/store/embedded/journal.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const app = randomUUID() as AppId;
const entry = (text: string, frameId?: string) => ({ app, frameId, bytes: Buffer.from(text) });
const texts = () => Journal.recover(folder).map(({ bytes }) => Buffer.from(bytes).toString());

describe('the journal', () => {
  it('gives back what was written, in order, with app and name', async () => {
    const journal = new Journal(folder);
    await Promise.all([journal.append(entry('one')), journal.append(entry('two', 'frame-1'))]);
    await journal.append(entry(''));
    journal.close();
    expect(Journal.recover(folder)).toEqual([
      { app, frameId: undefined, bytes: Buffer.from('one') },
      { app, frameId: 'frame-1', bytes: Buffer.from('two') },
      { app, frameId: undefined, bytes: Buffer.from('') },
    ]);
  });

  it('stops at an entry that was cut short, and at one with a sector that never reached the disk', async () => {
    const journal = new Journal(folder);
    for (const text of ['first', 'x'.repeat(5_000), 'last']) await journal.append(entry(text));
    journal.close();
    const file = join(folder, 'journal-0');
    const whole = readFileSync(file);
    truncateSync(file, whole.length - 1);
    expect(texts()).toEqual(['first', 'x'.repeat(5_000)]);
    const torn = Buffer.from(whole);
    torn.fill(0, 1_024, 2_048);
    writeFileSync(file, torn);
    expect(texts()).toEqual(['first']);
  });

  it('writes over what is in LMDB, in turns, and never over what is not', async () => {
    const journal = new Journal(folder);
    const large = 'y'.repeat(9_000_000);
    const sizes = () =>
      ['journal-0', 'journal-1'].map((name) => Math.round(statSync(join(folder, name)).size / 9_000_000));
    let serial = 0;
    for (let i = 0; i < 9; i++) serial = await journal.append(entry(`${i}${large}`));
    // Nothing was released: the second file goes on growing, whatever its size.
    expect(sizes()).toEqual([4, 5]);
    expect(
      texts()
        .map((text) => text.slice(0, 1))
        .join(''),
    ).toBe('012345678');
    journal.release(serial);
    await journal.append(entry('in the first file again'));
    expect(sizes()).toEqual([4, 5]);
    expect(texts().at(-1)).toBe('in the first file again');
    journal.clear();
    expect(texts()).toEqual([]);
    journal.close();
  });

  it('refuses when nothing can be written, and goes on afterwards', async () => {
    const script = `
      import { Journal } from ${JSON.stringify(join(process.cwd(), 'dist/src/store/embedded/journal.js'))};
      process.on('SIGXFSZ', () => {});
      const journal = new Journal(${JSON.stringify(folder)});
      const entry = (size) => ({ app: ${JSON.stringify(app)}, bytes: Buffer.alloc(size, 122) });
      const outcomes = [];
      for (const size of [1000, 3000000, 1000]) outcomes.push(await journal.append(entry(size)).then(() => 'written', () => 'refused'));
      console.log(outcomes.join(' '));`;
    const printed = execFileSync('bash', ['-c', 'ulimit -f 1000; exec node --input-type=module'], {
      input: script,
    });
    expect(printed.toString().trim()).toBe('written refused written');
    expect(texts().map(({ length }) => length)).toEqual([1_000, 1_000]);
  });

  it('keeps everything that was acknowledged when the process is killed', async () => {
    const script = `
      import { EmbeddedStore } from ${JSON.stringify(join(process.cwd(), 'dist/src/store/embedded/embedded.js'))};
      const store = new EmbeddedStore({ folder: ${JSON.stringify(folder)}, durability: 'process', retention: { lines: 1e9, bytes: 1e9, ageMs: 1e9 } });
      for (let i = 1; ; i++) {
        const { last } = await store.append(${JSON.stringify(app)}, { bytes: Buffer.alloc(32 + i % 5000, 97), count: 1 });
        process.stdout.write(last + '\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let acknowledged = 0;
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        acknowledged = Number(chunk.toString().trim().split('\n').at(-1)) || acknowledged;
        if (acknowledged > 2_000) child.kill('SIGKILL');
      });
      child.on('close', () => resolve());
    });
    const { EmbeddedStore } = await import('../../src/store/embedded/embedded.ts');
    const store = new EmbeddedStore({
      folder,
      durability: 'process',
      retention: { lines: 1e9, bytes: 1e9, ageMs: 1e9 },
    });
    const { first, last } = await store.bounds(app);
    expect(first).toBe(1);
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    let next = 1;
    while (next <= last) {
      for (const batch of await store.read(app, next - 1, 1_000_000)) {
        expect(batch.first).toBe(next);
        next = batch.last + 1;
      }
    }
    expect((await store.append(app, { bytes: Buffer.alloc(40), count: 1 })).first).toBe(last + 1);
    await store.close();
  });
});
