/** A part of the viewer, and the list of its parts. The stream has let its lines go: only the part has them. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { batchOfLines, LogLines } from '../../../bench/viewer/log-lines.ts';
import { LocalRunner } from '../../../drains/viewer/store/jobs/local-runner.ts';
import { PackedLineStore } from '../../../drains/viewer/store/packed-line-store.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { RECORD_HEADER } from '../../../src/logs/syslog/batch.ts';
import { newAppId } from '../../support/batches.ts';
import type { Specimen, Verdict } from './specimen.ts';

const LINES = 12;
const START_MS = Date.UTC(2026, 10, 1, 12);

export async function partsSpecimen(): Promise<Specimen> {
  const work = mkdtempSync(join(tmpdir(), 'tailrace-corruption-'));
  const [base, parts] = [join(work, 'base'), join(work, 'parts')];
  const streams = new EmbeddedStore({
    folder: join(work, 'streams'),
    retention: { lines: 1e9, bytes: 1e10, ageMs: 1e12 },
    durability: 'process',
  });
  const stream = newAppId();
  const source = new LogLines(1, START_MS, 100);
  const texts = Array.from({ length: LINES }, () => source.next());
  const open = (): PackedLineStore =>
    new PackedLineStore({ folder: parts, store: streams, runner: new LocalRunner() });
  const first = open();
  await first.follow(stream);
  await streams.append(stream, batchOfLines(texts));
  await first.seal(stream);
  await first.close();
  cpSync(parts, base, { recursive: true });

  const examine = async (): Promise<Verdict> => {
    const lines = open();
    try {
      await lines.ready;
      await lines.checkFiles();
      const request = { streams: [stream], direction: 'after', limit: 1e6 } as const;
      const { lines: found } = await lines.search(request);
      await lines.counts({ streams: [stream], stepMs: 60_000 });
      await lines.fieldValues({ streams: [stream], field: 'status', limit: 10 });
      const numbers = new Set<number>();
      for (const { sequence, record } of found) {
        const text = record.toString('utf8', RECORD_HEADER);
        if (numbers.has(sequence)) throw new Error(`line ${sequence} is there twice`);
        if (text !== texts[sequence - 1]) throw new Error(`line ${sequence} was changed: ${text}`);
        numbers.add(sequence);
      }
      const damage = lines.damage();
      for (let number = 1; number <= LINES; number++) {
        const isSaid = damage.some(
          (one) => one.lines && one.lines.first <= number && number <= one.lines.last,
        );
        if (!numbers.has(number) && !isSaid) throw new Error(`line ${number} is lost, silently`);
        if (numbers.has(number) && isSaid) throw new Error(`line ${number} is said to be lost, and is there`);
      }
      return damage.length > 0 ? 'said' : 'whole';
    } finally {
      await lines.close();
    }
  };
  const restore = (): void => {
    rmSync(parts, { recursive: true, force: true });
    cpSync(base, parts, { recursive: true });
  };
  return {
    kind: 'parts',
    files: readdirSync(join(parts, stream)).map((name) => join(parts, stream, name)),
    restore,
    examine,
    remove: async () => {
      await streams.close();
      rmSync(work, { recursive: true, force: true });
    },
  };
}
