import { TailraceError } from '../../../../src/common/errors.ts';
import { PeriodicCheck } from '../../../../src/common/limits/deadline.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import type { LineFilter } from '../../../../src/logs/syslog/line-filter.ts';
import type { TailEncoding } from '../../../../src/logs/tails/output/encodings.ts';
import type { Grant } from '../../access/grant.ts';
import type { LogStreamRecord } from '../../groups/group-records.ts';
import type { ViewerParts } from '../../parts.ts';
import { MergedTail, type TailConnection } from './merged-tail.ts';
import { streamEncoding } from './stream-encoding.ts';

const KEEP_ALIVE_MS = 15_000;
const TAILS_MAX = 1_000;

/** What a reader has asked for. */
export interface TailRequest {
  readonly grant: Grant;
  readonly streams: readonly LogStreamRecord[];
  /** What is selected later; throws when it may not be read any more. */
  readonly streamsOf: (grant: Grant) => readonly LogStreamRecord[];
  /** By stream; undefined: only what comes from now on. */
  readonly after: ReadonlyMap<AppId, number> | undefined;
  /** What of a stream's lines it gets. */
  readonly filterOf: (stream: LogStreamRecord) => LineFilter;
}

type KeptConnection = TailConnection & { keepAlive(after: string | undefined): void };

/** Tails that somebody reads. Each ends when its reader has lost the right to, and follows streams that are added to what it has selected. */
export class OpenTails {
  private readonly parts: ViewerParts;
  private readonly encodings = new Map<AppId, TailEncoding<string>>();
  private count = 0;

  constructor(parts: ViewerParts) {
    this.parts = parts;
  }

  /** @throws TailraceError when too many are open */
  requireRoom(): void {
    if (this.count >= TAILS_MAX)
      throw new TailraceError('unavailable', 'Too many tails are open: close some, or try again later.');
  }

  /** @returns to be called when the connection is closed */
  open(tail: TailRequest, connection: KeptConnection): () => void {
    const { store, records, readers, log, access, groups } = this.parts;
    this.count++;
    const encodingOf = (stream: AppId) => this.encodingOf(stream);
    const merged = new MergedTail({ store, records, readers, encodingOf }, tail.filterOf, connection);
    let isOpen = true;
    const started = merged.start(tail.streams, tail.after).catch((error: unknown) => {
      log.warn({ err: error }, 'a tail ended early');
      connection.end();
    });
    /** Somebody may have lost the right to read, or a stream was added. */
    const look = async (): Promise<void> => {
      await started;
      const grant = await access.renew(tail.grant);
      if (!isOpen) return;
      if (!grant) {
        connection.end();
        return;
      }
      merged.setStreams(tail.streamsOf(grant));
    };
    const lookSafely = (): void =>
      void look().catch((error: unknown) => {
        // Nobody knows while the store is unavailable.
        if (!(error instanceof TailraceError) || error.code !== 'unavailable') connection.end();
      });
    const check = new PeriodicCheck(KEEP_ALIVE_MS, () => {
      connection.keepAlive(merged.newPosition());
      // A session may have ended by itself.
      lookSafely();
    });
    const unwatch = [access.onChange(lookSafely), groups.onChange(lookSafely)];
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.count--;
      check.stop();
      for (const end of unwatch) end();
      merged.close();
    };
  }

  private encodingOf(stream: AppId): TailEncoding<string> {
    let encoding = this.encodings.get(stream);
    if (!encoding) {
      encoding = streamEncoding(stream);
      this.encodings.set(stream, encoding);
    }
    return encoding;
  }
}
