import { TailraceError } from '../../../common/errors.ts';
import { waitWithTimeout } from '../../../common/wait-with-timeout.ts';
import type { AppId } from '../../store/contract.ts';
import { UnansweredAppend } from '../../store/unanswered-append.ts';
import { PartlyStored } from './request-batches.ts';

/** Requests that are kept because they may be sent again, and for how long. */
const REMEMBERED_MAX = 1_000;
const REMEMBERED_MS = 10 * 60_000;
/** So long the same request waits until it is known what became of the first one. */
const WAIT_MS = 5_000;

/**
 * The apps whose lines of a request are stored although it was refused, as soon as that is known; undefined when none are.
 *
 * @param app the app of all lines, when there is one.
 */
export function appsStoredInSpite(
  error: unknown,
  app: AppId | undefined,
): Promise<ReadonlySet<AppId>> | undefined {
  if (error instanceof PartlyStored) return error.storedApps;
  if (!(error instanceof UnansweredAppend) || app === undefined) return undefined;
  return error.stored.then((isStored) => new Set(isStored ? [app] : []));
}

/**
 * What a refused request is answered: whether its lines are surely not stored is said, since its sender may give them up.
 *
 * @param storedInSpite what {@link appsStoredInSpite} has found; undefined: none are stored.
 */
export function refusalOf(error: unknown, storedInSpite: Promise<ReadonlySet<AppId>> | undefined): unknown {
  if (!storedInSpite || !(error instanceof TailraceError)) return error;
  return new TailraceError(
    'outcome_unknown',
    `${error.message} Lines of this request may be stored all the same: send it again as it is, to the same server, and none is stored twice.`,
    { cause: error },
  );
}

interface RefusedRequest {
  readonly storedApps: Promise<ReadonlySet<AppId>>;
  readonly refusedAtMs: number;
}

/**
 * Requests without a frame id (`Logplex-Frame-Id`) that were refused although lines of them are stored, or may be: those of one app
 * are and those of another aren't, or the store's answer never came. Their senders send them again, and what is stored must not be
 * stored twice: the same bytes are recognized, and the apps named whose lines are there.
 */
export class RefusedRequests {
  /** By their digests, oldest first. */
  private readonly requests = new Map<string, RefusedRequest>();
  private readonly now: () => number;

  /** @param now milliseconds on a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** There are none: nobody needs to make a digest. */
  get isEmpty(): boolean {
    if (this.requests.size === 0) return true;
    const expiredMs = this.now() - REMEMBERED_MS;
    for (const [digest, { refusedAtMs }] of this.requests) {
      if (refusedAtMs > expiredMs) return false;
      this.requests.delete(digest);
    }
    return true;
  }

  /** A request was refused; `storedApps` resolves with the apps whose lines are stored all the same. */
  remember(digest: string, storedApps: Promise<ReadonlySet<AppId>>): void {
    const request = { storedApps, refusedAtMs: this.now() };
    this.requests.delete(digest);
    this.requests.set(digest, request);
    for (const oldest of this.requests.keys()) {
      if (this.requests.size <= REMEMBERED_MAX) break;
      this.requests.delete(oldest);
    }
    void storedApps.then(({ size }) => {
      if (size === 0 && this.requests.get(digest) === request) this.requests.delete(digest);
    });
  }

  /**
   * The apps whose lines of the same request are stored; undefined when none are, as far as is known here.
   * @throws TailraceError `unavailable` when that will be known later.
   */
  async storedAppsOf(digest: string): Promise<ReadonlySet<AppId> | undefined> {
    const request = this.requests.get(digest);
    if (!request) return undefined;
    let apps: ReadonlySet<AppId> | undefined;
    const known = request.storedApps.then((stored) => {
      apps = stored;
    });
    await waitWithTimeout(WAIT_MS, known);
    if (apps) return apps.size > 0 ? apps : undefined;
    throw new TailraceError(
      'unavailable',
      "It isn't known yet whether the lines of this request were stored the first time: try again in a moment.",
    );
  }

  /** The request is stored, and its sender knows: the same bytes again are another request. */
  forget(digest: string): void {
    this.requests.delete(digest);
  }
}
