/** How much a token and an app may send. What is over is turned away, and the app is told so, once a minute. */
import type { AppId } from '../store/contract.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import type { Tenant } from './tenants.ts';

/** Lines and bytes a second; undefined: as many as they like. */
export interface Rate {
  readonly lines: number | undefined;
  readonly bytes: number | undefined;
}

export interface LimitOptions {
  readonly token: Rate;
  readonly app: Rate;
  /** Adds a line to the app's stream. */
  readonly tell: (app: AppId, message: string) => void;
}

/** The first refusal is told after this time, so that there is something to count; further ones once a minute. */
const TELL_FIRST_MS = 1_000;
const TELL_MS = 60_000;

/** Holds what may be sent in one second; may be overdrawn by a request that is taken whole. */
class Bucket {
  private readonly rate: number;
  private left: number;
  private filledMs: number;

  constructor(rate: number, now: number) {
    this.rate = rate;
    this.left = rate;
    this.filledMs = now;
  }

  available(now: number): number {
    if (now > this.filledMs) {
      this.left = Math.min(this.rate, this.left + ((now - this.filledMs) * this.rate) / 1_000);
      this.filledMs = now;
    }
    return this.left;
  }

  take(amount: number): void {
    this.left -= amount;
  }
}

interface Account {
  readonly lines: Bucket | undefined;
  readonly bytes: Bucket | undefined;
}

interface Refusal {
  count: number;
  sinceMs: number;
  timer: NodeJS.Timeout | undefined;
}

export class Limits {
  private readonly options: LimitOptions;
  private readonly now: () => number;
  private readonly accounts = new Map<string, Account>();
  private readonly refusals = new Map<AppId, Refusal>();
  /** Nothing is limited: nobody needs to ask. */
  readonly off: boolean;

  constructor(options: LimitOptions, now: () => number = Date.now) {
    const { token, app } = options;
    this.options = options;
    this.now = now;
    this.off = [token.lines, token.bytes, app.lines, app.bytes].every((rate) => rate === undefined);
  }

  /**
   * Asks for `lines` lines of `bytes` bytes in all; returns how many of them may pass. Bytes are looked at before, not
   * after: the last lines may go over, by less than a chunk.
   */
  admit(tenant: Tenant, lines: number, bytes: number): number {
    const now = this.now();
    const accounts = this.accountsOf(tenant);
    let granted = lines;
    for (const account of accounts) {
      if (account.bytes && account.bytes.available(now) <= 0) granted = 0;
      if (account.lines) granted = Math.min(granted, Math.max(0, Math.floor(account.lines.available(now))));
    }
    this.take(accounts, granted, (bytes * granted) / lines);
    if (granted < lines) this.refuse(tenant.app, lines - granted);
    return granted;
  }

  /** May a request be taken now? It is taken whole, and what is too much is missing afterwards: {@link charge} it. */
  isOpen(tenant: Tenant): boolean {
    const now = this.now();
    return this.accountsOf(tenant).every(
      ({ lines, bytes }) => (lines?.available(now) ?? 1) >= 1 && (bytes?.available(now) ?? 1) > 0,
    );
  }

  charge(tenant: Tenant, lines: number, bytes: number): void {
    this.take(this.accountsOf(tenant), lines, bytes);
  }

  /** Counts lines that were turned away. */
  refuse(app: AppId, lines: number): void {
    let refusal = this.refusals.get(app);
    if (!refusal) {
      refusal = { count: 0, sinceMs: this.now(), timer: undefined };
      this.refusals.set(app, refusal);
    }
    refusal.count += lines;
    if (!refusal.timer) this.schedule(app, refusal, TELL_FIRST_MS);
  }

  /** Tells what hasn't been told yet. */
  close(): void {
    for (const [app, refusal] of this.refusals) {
      clearTimeout(refusal.timer);
      if (refusal.count > 0) this.tell(app, refusal);
    }
    this.refusals.clear();
  }

  private schedule(app: AppId, refusal: Refusal, afterMs: number): void {
    refusal.timer = setTimeout(() => {
      if (refusal.count === 0) {
        this.refusals.delete(app);
        return;
      }
      this.tell(app, refusal);
      this.schedule(app, refusal, TELL_MS);
    }, afterMs);
    refusal.timer.unref();
  }

  private tell(app: AppId, refusal: Refusal): void {
    const since = formatTimestamp(refusal.sinceMs);
    const { count } = refusal;
    refusal.count = 0;
    refusal.sinceMs = this.now();
    this.options.tell(
      app,
      `Rate limit: ${count} messages refused since ${since}. Allowed are ${describe(this.options)}.`,
    );
  }

  private take(accounts: readonly Account[], lines: number, bytes: number): void {
    for (const account of accounts) {
      account.lines?.take(lines);
      account.bytes?.take(bytes);
    }
  }

  private accountsOf({ token, app }: Tenant): readonly Account[] {
    const { options } = this;
    const ofApp = this.account(app, options.app);
    return token ? [this.account(token, options.token), ofApp] : [ofApp];
  }

  private account(name: string, rate: Rate): Account {
    let account = this.accounts.get(name);
    if (!account) {
      const now = this.now();
      account = {
        lines: rate.lines === undefined ? undefined : new Bucket(rate.lines, now),
        bytes: rate.bytes === undefined ? undefined : new Bucket(rate.bytes, now),
      };
      this.accounts.set(name, account);
    }
    return account;
  }
}

function describe({ token, app }: LimitOptions): string {
  const rates = (name: string, { lines, bytes }: Rate): string[] => [
    ...(lines === undefined ? [] : [`${lines} lines/s ${name}`]),
    ...(bytes === undefined ? [] : [`${bytes} bytes/s ${name}`]),
  ];
  return [...rates('a token', token), ...rates('an app', app)].join(', ');
}
