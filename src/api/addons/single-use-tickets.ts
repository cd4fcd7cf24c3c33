import { randomBytes } from 'node:crypto';

/** A browser is started at once. */
const LIFETIME_MS = 60_000;
/** Where lists give a ticket for each thing, the oldest that nobody used are forgotten. */
const TICKETS_MAX = 10_000;

interface TicketOptions {
  readonly lifetimeMs?: number;
  /** How many are kept; beyond, the oldest is forgotten. */
  readonly max?: number;
  readonly now?: () => number;
}

/** Tickets for links that open something once, soon after they were made: held in memory, so that none outlives the server. */
export class SingleUseTickets<T> {
  /** The oldest first. */
  private readonly tickets = new Map<string, { readonly payload: T; readonly expiresAt: number }>();
  private readonly lifetimeMs: number;
  private readonly max: number;
  private readonly now: () => number;

  constructor({ lifetimeMs = LIFETIME_MS, max = TICKETS_MAX, now = Date.now }: TicketOptions = {}) {
    this.lifetimeMs = lifetimeMs;
    this.max = max;
    this.now = now;
  }

  /** @returns the secret of a new ticket, fit for a path */
  issue(payload: T): string {
    const now = this.now();
    for (const [secret, { expiresAt }] of this.tickets) {
      if (expiresAt > now && this.tickets.size < this.max) break;
      this.tickets.delete(secret);
    }
    const secret = randomBytes(24).toString('base64url');
    this.tickets.set(secret, { payload, expiresAt: now + this.lifetimeMs });
    return secret;
  }

  /** What the ticket was made for; undefined for one that was used, is too old, or never was. */
  redeem(secret: string): T | undefined {
    const ticket = this.tickets.get(secret);
    this.tickets.delete(secret);
    return ticket && ticket.expiresAt > this.now() ? ticket.payload : undefined;
  }
}
