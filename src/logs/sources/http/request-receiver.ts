/**
 * The receiver of a request, whose lines belong together: all that are for an app are stored, or none. Those of a small request go
 * to their app's batcher, where they stay in one batch; those of others, and of one with a name (`Logplex-Frame-Id`), into batches
 * of their own.
 */

import { createHash } from 'node:crypto';
import type { LogRouter } from '../../router/log-router.ts';
import { type LogSource, WILDCARD_SOURCE } from '../../router/token-cache.ts';
import type { AppId } from '../../store/contract.ts';
import { BATCH_BYTES } from '../../syslog/batch.ts';
import { HOSTNAME_BYTES_MAX, storedHeaderField } from '../../syslog/fields/header-field.ts';
import type { RecordForm } from '../formats/wasm/wasm-records.ts';
import { LineReceiver, type LineReceiverOptions } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import { RequestBatches } from './request-batches.ts';
import { type RequestLimiter, RequestTally } from './request-tally.ts';

const FRAME_ID_CHARACTERS = 128;

export interface RequestReceiverOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RequestLimiter;
  readonly counters: ListenerCounters;
  /** The sender's address. */
  readonly host: string;
  /** The source of all lines; undefined when every line has its own token. */
  readonly logSource: LogSource | undefined;
  /** About what its lines take in a batch. */
  readonly bytes: number;
  /** From {@link readFrameId}. */
  readonly frameId: string | undefined;
  /** Apps whose lines are stored from an attempt before, which was refused. */
  readonly storedBefore?: ReadonlySet<AppId>;
  /** See {@link LineReceiverOptions.fromHerokuDrain}. */
  readonly fromHerokuDrain?: boolean;
}

/** What records of the request's lines have, when all are of one source: that of its {@link receiverForRequest}. */
export function recordFormFor(logSource: LogSource | undefined, host: string): RecordForm | undefined {
  if (!logSource || logSource.source === WILDCARD_SOURCE) return undefined;
  return { source: logSource.sourceBytes, host: storedHeaderField(host, HOSTNAME_BYTES_MAX) };
}

/** The frame id that the sender gave the request; in the place of one that is long, its digest: two that differ late are two. */
export function readFrameId(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string' || header === '') return undefined;
  return header.length <= FRAME_ID_CHARACTERS
    ? header
    : createHash('sha256').update(header, 'latin1').digest('base64url');
}

/**
 * A receiver for the request's lines; they are stored when its `whenStored()` has resolved. When it shares its app's batcher
 * ({@link sharesBatches}), all lines have to be taken in this turn of the event loop.
 *
 * @param spare of an earlier request of the same connection that shared them: it is reused if possible.
 */
export function receiverForRequest(options: RequestReceiverOptions, spare?: LineReceiver): LineReceiver {
  const { router, counters, host, logSource, bytes, fromHerokuDrain } = options;
  let rateLimiter: LineReceiverOptions['rateLimiter'] = options.rateLimiter;
  let targetFor: LineReceiverOptions['targetFor'];
  if (logSource && sharesBatches(options)) {
    router.requestBatcher(logSource.app).beginRequest(bytes);
    if (spare && spare.authenticatedSource === logSource) return spare;
    targetFor = (app) => router.requestBatcher(app);
  } else {
    // Lines of several sources are admitted together, those of one before they are read.
    const { storedBefore, frameId = '', rateLimiter: limiter } = options;
    const tally = logSource || limiter.disabled ? undefined : new RequestTally(limiter, counters);
    targetFor = new RequestBatches({ router, bodyBytes: bytes, frameId, storedBefore, tally, counters })
      .targetFor;
    if (tally) rateLimiter = tally;
  }
  // Nothing is spread: V8 would look all of its fields up anew.
  return new LineReceiver({
    router,
    counters,
    host,
    authenticatedSource: logSource,
    rateLimiter,
    fromHerokuDrain,
    targetFor,
  });
}

/** Do a request's lines go into batches together with those of others? */
export function sharesBatches({
  logSource,
  bytes,
  frameId,
  storedBefore,
}: Pick<RequestReceiverOptions, 'logSource' | 'bytes' | 'frameId' | 'storedBefore'>): boolean {
  return logSource !== undefined && bytes <= BATCH_BYTES && frameId === undefined && !storedBefore;
}
