/** What waits on the disk of `tailrace ship`, and how far it has read its file. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskQueue } from '../../../src/apps/forwarder/files/disk-queue.ts';
import { Spool } from '../../../src/apps/forwarder/files/spool.ts';
import type { Specimen, Verdict } from './specimen.ts';

const HEADER = { beforeTimestamp: '<190>1 ', afterTimestamp: ' host t.a web.1 - - ', byteCount: 54 };
const TIME = '2026-11-29T00:00:00.000000+00:00';
const BATCHES = 2;

export async function spoolSpecimen(): Promise<Specimen> {
  const work = mkdtempSync(join(tmpdir(), 'tailrace-corruption-'));
  const [base, folder] = [join(work, 'base'), join(work, 'copy')];
  const warnings: string[] = [];
  const queueIn = (spool: Spool, at: () => number): DiskQueue =>
    new DiskQueue(spool, {
      lineCountMax: 2,
      byteCountMax: 4_096,
      diskBytesMax: 1e6,
      checkpoint: () => ({ at: at() }),
      onWarning: (text) => warnings.push(text),
    });
  const spool = new Spool(base);
  let written = 0;
  const queue = queueIn(spool, () => written);
  const batches: string[] = [];
  for (let number = 1; number <= 2 * BATCHES; number++) {
    queue.add(HEADER, TIME, Buffer.from(`line ${number}`));
    written = number;
  }
  queue.saveCheckpoint();
  queue.close();
  for (const one of new Spool(base).leftover) {
    const read = spool.read(one);
    batches.push(`${read?.batch.frameId} ${read?.batch.body()}`);
  }
  rmSync(join(base, 'lock'));
  const restore = (): void => {
    rmSync(folder, { recursive: true, force: true });
    cpSync(base, folder, { recursive: true });
  };
  restore();

  const examine = async (): Promise<Verdict> => {
    warnings.length = 0;
    const spool = new Spool(folder);
    const { value, isDamaged } = spool.checkpoint();
    const queue = queueIn(spool, () => 0);
    const found: string[] = [];
    for (let batch = queue.take(); batch; batch = queue.take()) {
      found.push(`${batch.frameId} ${batch.body()}`);
      queue.remove(batch);
    }
    queue.close();
    const changed = found.find((one) => !batches.includes(one));
    if (changed !== undefined) throw new Error(`a changed batch would have been sent: ${changed}`);
    const missing = BATCHES - found.length;
    if (missing !== warnings.length) throw new Error(`${missing} batches are missing; said: ${warnings}`);
    // A place before what is lost is right: it is read again.
    const at = (value as { at: number } | undefined)?.at;
    if (!isDamaged && !(at === 2 || at === 2 * BATCHES)) throw new Error(`the place is ${at}`);
    return missing > 0 || isDamaged ? 'said' : 'whole';
  };
  return {
    kind: 'spool',
    files: readdirSync(folder).map((name) => join(folder, name)),
    restore,
    examine,
    remove: async () => rmSync(work, { recursive: true, force: true }),
  };
}
