/**
 * Tells people: each notification to each destination, in order, again with growing pauses until it is accepted or given up. How far
 * it came is in the history's event, so that after a restart it goes on; a notification that was on its way when the viewer was killed may arrive
 * twice, with the same id.
 */
import { type BackoffRange, backoffMs } from '../../../../src/common/backoff.ts';
import { reasonOf } from '../../../../src/common/errors.ts';
import type { Log } from '../../../../src/common/log.ts';
import type { AlertHistory } from '../records/alert-history.ts';
import type { AlertEvent, AlertRecord, Delivery, Destination } from '../records/alert-records.ts';
import { NotificationError } from './http-sender.ts';

const ATTEMPTS_MAX = 12;
const BACKOFF: BackoffRange = { firstMs: 2_000, maxMs: 10 * 60_000 };
/** Notifications that wait for one destination of one alert. */
const WAITING_MAX = 100;
/** Notifications that are on their way at a time, in all and to one host: one that is slow doesn't hold up the others. */
const SENDS_AT_ONCE = 50;
const SENDS_A_HOST = 5;

export type SendNotification = (
  destination: Destination,
  event: AlertEvent,
  idempotencyKey: string,
) => Promise<void>;

export interface NotifierOptions {
  readonly history: AlertHistory;
  /** Undefined: there is no such alert any more. */
  readonly alert: (id: string) => Promise<AlertRecord | undefined>;
  readonly send: SendNotification;
  readonly log: Log;
  readonly backoff?: BackoffRange;
}

/** An event that is on its way; deliveries change. */
interface Travelling {
  event: AlertEvent;
}

export class Notifier {
  private readonly options: NotifierOptions;
  /** By alert and destination, oldest first. */
  private readonly queues = new Map<string, Travelling[]>();
  private readonly running = new Map<string, Promise<void>>();
  private readonly waiting: { readonly host: string; readonly go: () => void }[] = [];
  private sending = 0;
  private readonly sendingTo = new Map<string, number>();
  private readonly stops = new Set<() => void>();
  private isClosed = false;

  constructor(options: NotifierOptions) {
    this.options = options;
  }

  /** Takes events, oldest first, which are written down already. */
  add(events: readonly AlertEvent[]): void {
    for (const event of events) {
      const destinations = event.deliveries.filter(({ state }) => state === 'waiting');
      const travelling: Travelling = { event };
      for (const { destination } of destinations) {
        const key = `${event.alert.id} ${destination}`;
        const queue = this.queues.get(key) ?? [];
        this.queues.set(key, queue);
        queue.push(travelling);
        if (queue.length > WAITING_MAX) {
          const [oldest] = queue.splice(1, 1);
          void this.note(oldest, destination, {
            state: 'failed',
            error: `more than ${WAITING_MAX} notifications wait`,
          });
        }
        this.start(key, queue, destination);
      }
    }
  }

  private start(key: string, queue: Travelling[], destination: string): void {
    if (this.running.has(key)) return;
    const delivery = this.deliver(queue, destination).finally(() => {
      this.running.delete(key);
      if (queue.length > 0 && !this.isClosed) this.start(key, queue, destination);
      else this.queues.delete(key);
    });
    this.running.set(key, delivery);
  }

  /** Sends one event once, to all destinations; returns how it went. */
  async sendOnce(event: AlertEvent, destinations: readonly Destination[]): Promise<readonly Delivery[]> {
    return Promise.all(
      destinations.map(async (destination): Promise<Delivery> => {
        const base = { destination: destination.id, attempts: 1, at: new Date().toISOString() };
        try {
          await this.options.send(destination, event, keyOf(event, destination.id));
          return { ...base, state: 'sent' };
        } catch (error) {
          return { ...base, state: 'failed', error: reasonOf(error) };
        }
      }),
    );
  }

  /** Ends; what isn't sent yet is sent after the next start. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const stop of this.stops) stop();
    for (const { go } of this.waiting.splice(0)) go();
    await Promise.all(this.running.values());
  }

  private async deliver(queue: Travelling[], destination: string): Promise<void> {
    while (queue.length > 0 && !this.isClosed) {
      const travelling = queue[0];
      const outcome = await this.attempt(travelling, destination);
      if (outcome === 'done') queue.shift();
      else {
        const { attempts } = deliveryOf(travelling.event, destination);
        const backoff = backoffMs(attempts, this.options.backoff ?? BACKOFF);
        await this.pause(Math.max(backoff, outcome.retryAfterMs));
      }
    }
  }

  /** Done when it is sent, or given up; else how long its receiver wants to be left alone. */
  private async attempt(
    travelling: Travelling,
    destination: string,
  ): Promise<'done' | { readonly retryAfterMs: number }> {
    const { options } = this;
    const { event } = travelling;
    const attempts = deliveryOf(event, destination).attempts + 1;
    try {
      const alert = await options.alert(event.alert.id);
      const to = alert?.destinations.find(({ id }) => id === destination);
      if (!to) throw new NotificationError('the destination was removed', true);
      await this.inTurn(hostOf(to), () => options.send(to, event, keyOf(event, destination)));
      await this.note(travelling, destination, { state: 'sent', attempts, error: undefined });
      return 'done';
    } catch (error) {
      const retryAfterMs = (error instanceof NotificationError ? error.retryAfterMs : undefined) ?? 0;
      if (this.isClosed) return { retryAfterMs };
      const isOver = (error instanceof NotificationError && error.isPermanent) || attempts >= ATTEMPTS_MAX;
      const text = reasonOf(error);
      await this.note(travelling, destination, {
        state: isOver ? 'failed' : 'waiting',
        attempts,
        error: text,
      });
      if (isOver || attempts === 1)
        options.log.warn(
          { alert: event.alert.id, event: event.id, destination, attempts, reason: text },
          isOver ? 'a notification was given up' : 'a notification could not be sent; it is tried again',
        );
      return isOver ? 'done' : { retryAfterMs };
    }
  }

  private async note(travelling: Travelling, destination: string, change: Partial<Delivery>): Promise<void> {
    const { event } = travelling;
    const at = new Date().toISOString();
    travelling.event = {
      ...event,
      deliveries: event.deliveries.map((one) =>
        one.destination === destination ? { ...one, ...change, at } : one,
      ),
    };
    await this.options.history.update(travelling.event).catch((error: unknown) => {
      this.options.log.warn(
        { event: event.id, reason: reasonOf(error) },
        'how a notification went can not be written',
      );
    });
  }

  /** Not too many at once. */
  private async inTurn(host: string, send: () => Promise<void>): Promise<void> {
    while (!this.mayBeSentTo(host) && !this.isClosed)
      await new Promise<void>((go) => this.waiting.push({ host, go }));
    // What is closed meanwhile is sent after the next start.
    if (this.isClosed) throw new NotificationError('the viewer ends');
    this.sending++;
    this.sendingTo.set(host, (this.sendingTo.get(host) ?? 0) + 1);
    try {
      await send();
    } finally {
      this.sending--;
      const left = (this.sendingTo.get(host) ?? 1) - 1;
      if (left === 0) this.sendingTo.delete(host);
      else this.sendingTo.set(host, left);
      const next = this.waiting.findIndex((one) => this.mayBeSentTo(one.host));
      if (next !== -1) this.waiting.splice(next, 1)[0].go();
    }
  }

  private mayBeSentTo(host: string): boolean {
    return this.sending < SENDS_AT_ONCE && (this.sendingTo.get(host) ?? 0) < SENDS_A_HOST;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.stops.delete(stop);
        resolve();
      };
      const timer = setTimeout(stop, ms).unref();
      this.stops.add(stop);
    });
  }
}

/** Who is asked to take it. */
function hostOf(destination: Destination): string {
  switch (destination.kind) {
    case 'email':
      return 'smtp';
    case 'pagerduty':
      return destination.url === undefined ? 'pagerduty' : new URL(destination.url).host;
    case 'webhook':
      return new URL(destination.url).host;
  }
}

function deliveryOf(event: AlertEvent, destination: string): Delivery {
  const delivery = event.deliveries.find((one) => one.destination === destination);
  return delivery ?? { destination, state: 'waiting', attempts: 0 };
}

/** The same for every attempt. */
function keyOf({ id }: AlertEvent, destination: string): string {
  return `${id}.${destination}`;
}
