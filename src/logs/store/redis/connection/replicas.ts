/**
 * Waits until replicas have what was appended (`REDIS_WAIT`), for all appends of a moment at once, over a connection of its own:
 * while Redis waits for replicas, it does nothing else for a client.
 *
 * Over one connection to one server: is the entry there; a write; wait for replicas. Replication keeps the order, so that a
 * replica that has the write has the entry, whoever appended it and over whichever connection. After a failover that lost
 * the entry it isn't there, and has to be appended again.
 */
import { TailraceError } from '../../../../common/errors.ts';
import type { StreamKeys } from '../keys.ts';
import { type Entry, entryId, type Placement, readPlacement } from '../placement.ts';
import type { Connection } from './connection.ts';

export interface WaitOptions {
  /** Replicas that must have a line before it is acknowledged; 0: none. */
  readonly replicas: number;
  /** How long they may take, ms. */
  readonly timeoutMs: number;
}

interface Question {
  readonly keys: StreamKeys;
  readonly places: readonly Placement[];
  readonly resolve: (there: boolean[]) => void;
  readonly reject: (error: unknown) => void;
}

/** What is asked of one server. */
interface Desk {
  waiting: Question[];
  busy: boolean;
  /** Were there too few replicas the last time? */
  short: boolean;
}

export class Replicas {
  private readonly connection: Connection;
  private readonly options: WaitOptions;
  private readonly desks = new Map<string, Desk>();

  /** @param connection for this alone. */
  constructor(connection: Connection, options: WaitOptions) {
    this.connection = connection;
    this.options = options;
  }

  /** Were there too few the last time? Then it is better to ask before something is appended. */
  isShort({ state }: StreamKeys): boolean {
    return this.desks.get(this.connection.serverOf(state))?.short ?? false;
  }

  /**
   * Resolves when enough replicas have everything that is in the app's stream now; says which of these batches that is.
   * @throws TailraceError `unavailable` when there are too few.
   */
  confirm(keys: StreamKeys, places: readonly Placement[]): Promise<boolean[]> {
    const server = this.connection.serverOf(keys.state);
    let desk = this.desks.get(server);
    if (!desk) {
      desk = { waiting: [], busy: false, short: false };
      this.desks.set(server, desk);
    }
    const mine = desk;
    return new Promise((resolve, reject) => {
      mine.waiting.push({ keys, places, resolve, reject });
      if (!mine.busy) void this.work(mine);
    });
  }

  close(): void {
    this.connection.close();
  }

  private async work(desk: Desk): Promise<void> {
    desk.busy = true;
    while (desk.waiting.length > 0) {
      const questions = desk.waiting.splice(0);
      try {
        const there = await this.ask(desk, questions);
        for (const { places, resolve } of questions) resolve(there.splice(0, places.length));
      } catch (error) {
        for (const { reject } of questions) reject(error);
      }
    }
    desk.busy = false;
  }

  private async ask(desk: Desk, questions: readonly Question[]): Promise<boolean[]> {
    const { replicas, timeoutMs } = this.options;
    const places = questions.flatMap(({ keys, places: own }) =>
      own.map((place) => ({ index: keys.index, place })),
    );
    const answers = await this.connection.together([
      ...places.map(
        ({ index, place }) => ['xrange', index, entryId(place.last), entryId(place.last)] as const,
      ),
      ['hset', questions[0].keys.state, 'waited', Date.now()],
      ['wait', replicas, timeoutMs],
    ]);
    const reached = Number(answers[answers.length - 1]);
    desk.short = reached < replicas;
    if (desk.short)
      throw new TailraceError(
        'unavailable',
        `${reached} of Redis' replicas had the lines within ${timeoutMs} ms, and REDIS_WAIT asks for ${replicas}: bring replicas back, or lower REDIS_WAIT; nothing that was accepted is lost.`,
      );
    return places.map(({ place }, i) => {
      const [entry] = answers[i] as Entry[];
      if (!entry) return false;
      const { count, bytes, storedAtMs } = readPlacement(entry);
      return count === place.count && bytes === place.bytes && storedAtMs === place.storedAtMs;
    });
  }
}
