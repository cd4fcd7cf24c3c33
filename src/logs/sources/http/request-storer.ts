import { TailraceError } from '../../../common/errors.ts';
import { waitWithTimeout } from '../../../common/wait-with-timeout.ts';
import type { AppId } from '../../store/contract.ts';
import type { LineReceiver } from '../line-receiver.ts';
import { createListenerCounters } from '../listener-counters.ts';
import { appsStoredInSpite } from './refused-requests.ts';
import { type RequestReceiverOptions, receiverForRequest } from './request-receiver.ts';
import { ADMITTED } from './request-tally.ts';

/** So long one attempt waits until it is known what became of the one before. */
const WAIT_MS = 500;

/** Gives a request's lines to a receiver; returns a promise only when it has to wait. */
export type TakeLines = (receiver: LineReceiver) => Promise<void> | undefined | void;

/**
 * Stores the lines of a request, in as many attempts as it is asked to: what is stored isn't stored again, nor counted, nor charged.
 */
export class RequestStorer {
  private readonly options: RequestReceiverOptions;
  private readonly take: TakeLines;
  private isTaken: boolean;
  private storedBefore: ReadonlySet<AppId> | undefined;
  /** Resolves with the apps whose lines the last attempt has stored, although it was refused; undefined when it has stored none. */
  storedInSpite: Promise<ReadonlySet<AppId>> | undefined;

  /**
   * @param take is called once for each attempt.
   * @param firstError of an attempt that was made without this.
   */
  constructor(options: RequestReceiverOptions, take: TakeLines, firstError?: unknown) {
    this.options = options;
    this.take = take;
    this.isTaken = firstError !== undefined;
    this.storedBefore = options.storedBefore;
    this.storedInSpite = appsStoredInSpite(firstError, options.logSource?.app);
  }

  /** Resolves when the lines are stored; may be called again when it has failed. */
  async store(): Promise<void> {
    if (this.storedInSpite) await this.settle(this.storedInSpite);
    const { options, storedBefore, isTaken } = this;
    this.isTaken = true;
    const receiver = receiverForRequest(
      isTaken
        ? {
            ...options,
            storedBefore,
            counters: createListenerCounters(options.counters.protocol),
            rateLimiter: ADMITTED,
          }
        : options,
    );
    try {
      const taking = this.take(receiver);
      // Not after a turn of the event loop when nothing had to be waited for: others' lines may come.
      await (taking ? taking.then(() => receiver.whenStored()) : receiver.whenStored());
    } catch (error) {
      this.storedInSpite = appsStoredInSpite(error, options.logSource?.app);
      throw error;
    }
  }

  /** @throws TailraceError `unavailable` when it isn't known yet what became of the attempt before. */
  private async settle(storedInSpite: Promise<ReadonlySet<AppId>>): Promise<void> {
    let apps: ReadonlySet<AppId> | undefined;
    const known = storedInSpite.then((stored) => {
      apps = stored;
    });
    await waitWithTimeout(WAIT_MS, known);
    if (!apps)
      throw new TailraceError(
        'unavailable',
        "It isn't known yet whether the lines of this request were stored: try again in a moment.",
      );
    this.storedInSpite = undefined;
    if (apps.size > 0) this.storedBefore = new Set([...(this.storedBefore ?? []), ...apps]);
  }
}
