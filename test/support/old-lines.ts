/** Lines as older versions stored them: with header fields that aren't taken any more. */
import type { AppId } from '../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../src/logs/store/embedded/embedded-store.ts';
import { type Batch, HEADROOM, RECORD_HEADER } from '../../src/logs/syslog/batch.ts';

export interface OldLine {
  /** As text: as its digits are, which may begin with zeros. */
  readonly priority?: number | string;
  readonly timestamp?: string;
  readonly hostname?: string;
  readonly source?: string;
  readonly dyno?: string;
  readonly msgid?: string;
  readonly structuredData?: string;
  readonly message: string | Buffer;
}

/** A batch of such lines, whatever is in their fields. */
export function batchOfOldLines(lines: readonly OldLine[]): Batch {
  const records = lines.map((line) => {
    const {
      priority = 190,
      timestamp = '2012-12-10T03:00:48.123456+00:00',
      hostname = 'h',
      source = 'app',
      dyno = 'web.1',
    } = line;
    const head = Buffer.from(`<${priority}>1 ${timestamp} `);
    const host = Buffer.from(`${hostname} `);
    const origin = Buffer.from(`${source} ${dyno} `);
    const data = Buffer.from(`${line.msgid ?? '-'} ${line.structuredData ?? '-'} `);
    const message = typeof line.message === 'string' ? Buffer.from(line.message) : line.message;
    const record = Buffer.alloc(RECORD_HEADER);
    let end = 0;
    const offsets = [head, host, origin, data].map((part) => (end += part.length));
    record.writeUInt32LE(offsets[3] + message.length, 0);
    record.writeUInt8(offsets[0], 4);
    for (const [i, offset] of offsets.slice(1).entries()) record.writeUInt16LE(offset, 6 + i * 2);
    return Buffer.concat([record, head, host, origin, data, message]);
  });
  return { bytes: Buffer.concat([Buffer.alloc(HEADROOM), ...records]), count: lines.length };
}

/** Stores such lines in the data folder of a server that doesn't run. */
export function storeOldLines(data: string, app: string, lines: readonly OldLine[]): Promise<void> {
  return withStore(data, async (store) => {
    await store.append(app as AppId, batchOfOldLines(lines));
  });
}

/** Stores batches of lines as if it were an earlier time (milliseconds since 1970), in the data folder of a server that doesn't run. */
export function storeLinesAt(
  data: string,
  app: string,
  batches: readonly { readonly storedAtMs: number; readonly lines: readonly OldLine[] }[],
): Promise<void> {
  return withStore(data, async (store) => {
    let { last } = await store.bounds(app as AppId);
    for (const { storedAtMs, lines } of batches) {
      const first = last + 1;
      last += lines.length;
      await store.restore(app as AppId, { ...batchOfOldLines(lines), first, last, storedAtMs });
    }
  });
}

async function withStore(data: string, work: (store: EmbeddedStore) => Promise<void>): Promise<void> {
  const retention = { lines: 1_000_000, bytes: 1e9, ageMs: 1e9 };
  const store = new EmbeddedStore({ folder: data, retention, durability: 'process' });
  try {
    await work(store);
  } finally {
    await store.close();
  }
}
