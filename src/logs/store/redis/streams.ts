/** Reading the streams in Redis. What is to be read is chosen by the index, so that no lines travel for nothing. */
import type { AppId, Sequence, StoredBatch, StreamBounds } from '../contract.ts';
import type { Connection } from './connection/connection.ts';
import { streamKeys } from './keys.ts';
import { type Entry, entryId, type Placement, readBatch, readPlacement } from './placement.ts';
import { SCRIPTS } from './scripts.ts';

/** Placements that are looked at for one read: a read brings no more batches than this. */
const LOOK_AHEAD = 512;

export class RedisStreams {
  private readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  async read(app: AppId, after: Sequence, bytes: number): Promise<StoredBatch[]> {
    const { lines, index } = streamKeys(app);
    const from = entryId(after + 1);
    // Mostly there is only one new batch: it comes with the answer about what there is.
    const [placements, batches] = await Promise.all([
      this.range('XRANGE', index, from, '+', LOOK_AHEAD).then((entries) => entries.map(readPlacement)),
      this.range('XRANGE', lines, from, '+', 1).then((entries) => entries.map(readBatch)),
    ]);
    const [newest] = batches;
    const upTo = within(placements, bytes);
    if (newest && upTo && upTo.last > newest.last) {
      const rest = await this.range(
        'XRANGE',
        lines,
        entryId(newest.last + 1),
        entryId(upTo.last),
        LOOK_AHEAD,
      );
      batches.push(...rest.map(readBatch));
    }
    return batches;
  }

  async readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    if (before <= 1) return [];
    const { lines, index } = streamKeys(app);
    // The batch that holds line before - 1 is the first one whose last line is at or above it.
    const [holding, older] = await Promise.all([
      this.range('XRANGE', index, entryId(before - 1), '+', 1),
      this.range('XREVRANGE', index, entryId(before - 2), '-', LOOK_AHEAD),
    ]);
    const placements = [...holding, ...older]
      .map(readPlacement)
      .filter(({ last, count }) => last - count + 1 < before);
    const downTo = within(placements, bytes);
    if (!downTo) return [];
    const range = [entryId(placements[0].last), entryId(downTo.last)] as const;
    return (await this.range('XREVRANGE', lines, ...range, LOOK_AHEAD)).map(readBatch);
  }

  async bounds(app: AppId): Promise<StreamBounds> {
    const { index, state } = streamKeys(app);
    const [first, last, bytes] = (await this.connection.run(SCRIPTS.bounds, [index, state], [])) as number[];
    return { first, last, bytes };
  }

  async sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    const { index, state } = streamKeys(app);
    return (await this.connection.run(SCRIPTS.sequenceAt, [index, state], [ms])) as number;
  }

  async drop(app: AppId): Promise<void> {
    const { lines, index, state, frames } = streamKeys(app);
    await this.connection.call('unlink', lines, index, state, ...frames);
  }

  private async range(
    command: 'XRANGE' | 'XREVRANGE',
    key: string,
    from: string,
    to: string,
    count: number,
  ): Promise<Entry[]> {
    return (await this.connection.callBytes(command, key, from, to, 'COUNT', count)) as Entry[];
  }
}

/** The last of these placements that is still within `bytes`; the first at any rate. */
function within(placements: readonly Placement[], bytes: number): Placement | undefined {
  let size = 0;
  for (const placement of placements) {
    size += placement.bytes;
    if (size >= bytes) return placement;
  }
  return placements[placements.length - 1];
}
