import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openLineStore } from '../../../../drains/viewer/store/open-line-store.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { newAppId } from '../../../support/batches.ts';
import { Program } from '../../../support/program.ts';
import { until } from '../../../support/until.ts';
import { textOfLine } from './line-store-rig.ts';

const KILLS = 4;
const STORE = {
  retention: { lines: 1e9, bytes: 1e10, ageMs: 1e12 },
  durability: 'process',
} as const;

/** Appends numbered lines, in batches of 500, and packs them all the time. Says up to which number lines are stored. */
function script(folder: string, stream: string): string {
  const dist = (path: string): string => JSON.stringify(join(process.cwd(), 'dist', path));
  return `
    import { EmbeddedStore } from ${dist('src/logs/store/embedded/embedded-store.js')};
    import { openLineStore } from ${dist('drains/viewer/store/open-line-store.js')};
    import { batchOfLines } from ${dist('bench/viewer/log-lines.js')};
    const streams = new EmbeddedStore({ folder: ${JSON.stringify(join(folder, 'streams'))}, ...${JSON.stringify(STORE)} });
    const lines = await openLineStore({ folder: ${JSON.stringify(join(folder, 'parts'))}, store: streams, onProblem: (message) => console.error(message) });
    const stream = ${JSON.stringify(stream)};
    await lines.follow(stream);
    let next = (await streams.bounds(stream)).last + 1;
    for (let i = 0; ; i++) {
      const texts = Array.from({ length: 500 }, (_, k) => '<190>1 2026-11-01T12:00:00.000000+00:00 host app web.1 - - line ' + (next + k) + ' of many');
      await streams.append(stream, batchOfLines(texts));
      next += 500;
      console.log(next - 1);
      // Also at once when the one before was killed while much waited: else nothing would be packed any more, and it would wait forever.
      if (i % 8 === 7 || next - lines.packedThrough(stream) > 11_000) void lines.seal(stream);
      do await new Promise((resolve) => setTimeout(resolve, 1));
      while (next - lines.packedThrough(stream) > 15_000);
    }
  `;
}

function packedThrough(folder: string): number {
  if (!existsSync(folder)) return 0;
  return Math.max(0, ...readdirSync(folder).map((name) => Number(/_(\d+)\.part$/.exec(name)?.[1] ?? 0)));
}

it('finds each line once after it was killed again and again while it packed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-killed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const stream = newAppId();
  let stored = 0;
  for (let kill = 1; kill <= KILLS; kill++) {
    const program = new Program(process.execPath, ['--input-type=module', '-e', script(folder, stream)]);
    onTestFinished(() => void program.child.kill('SIGKILL'));
    const wanted = stored + kill * 700;
    await until(
      'lines are packed',
      () => program.stderr !== '' || packedThrough(join(folder, 'parts', stream)) >= wanted,
    );
    program.child.kill('SIGKILL');
    await program.exited;
    expect(program.stderr).toBe('');
    stored = Number(/(\d+)\n(?:\d*)$/.exec(program.stdout)?.[1]);
  }
  const streams = new EmbeddedStore({ folder: join(folder, 'streams'), ...STORE });
  const lines = await openLineStore({ folder: join(folder, 'parts'), store: streams });
  onTestFinished(async () => {
    await lines.close();
    await streams.close();
  });
  const { last } = await streams.bounds(stream);
  expect(last).toBeGreaterThanOrEqual(stored);
  for (const packed of [false, true]) {
    if (packed) await lines.seal(stream);
    let number = 0;
    for await (const some of lines.read(stream, 0))
      for (const line of some) {
        number++;
        if (line.sequence !== number || !textOfLine(line).endsWith(` line ${number} of many`))
          expect([line.sequence, textOfLine(line)]).toEqual([number, `line ${number}`]);
      }
    expect(number).toBe(last);
    const [bucket] = await lines.counts({ streams: [stream], stepMs: 60_000 });
    expect(bucket.other).toBe(last);
  }
  expect(lines.packedThrough(stream)).toBe(last);
  expect(lines.damage()).toEqual([]);
});
