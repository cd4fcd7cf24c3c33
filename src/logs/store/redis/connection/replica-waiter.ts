/**
 * Waits until replicas have what was appended (`REDIS_WAIT`), and drains' cursors, for all queued requests at once, over a connection of its own: `WAIT`
 * blocks a connection.
 *
 * Over one connection to one server: read the entry (or, of a frame that was stored before, its id); write something; `WAIT`. Replication keeps the order, so that a
 * replica that has the write has the entry, whoever appended it and over whichever connection. After a failover that lost
 * the entry it isn't there, and has to be appended again.
 */
import { TailraceError } from '../../../../common/errors.ts';
import type { AppId, Sequence } from '../../contract.ts';
import { type BatchHeader, entryId, readBatchHeader, type StreamEntry } from '../batch-header.ts';
import { recordKeys, type StreamKeys, streamKeys } from '../keys.ts';
import type { RedisArgument, RedisConnection } from './connection.ts';

export interface ReplicaWaitOptions {
  /** Replicas that must have a line before it is acknowledged; 0: none. */
  readonly replicas: number;
  /** How long they may take, ms. */
  readonly timeoutMs: number;
}

/** What a batch is found by: the header that it was stored with, or, when it was stored before, the frame that it came in and its first sequence. */
export type StoredPlace = BatchHeader | { readonly frameId: string; readonly first: Sequence };

type Command = readonly [string, ...RedisArgument[]];

interface WaitRequest {
  readonly keys: StreamKeys;
  /** What is read before the write that replicas have to have. */
  readonly commands: readonly Command[];
  readonly resolve: (replies: unknown[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The requests to one server. */
interface ServerQueue {
  waiting: WaitRequest[];
  busy: boolean;
  /** Were there too few replicas the last time? */
  lacksReplicas: boolean;
}

export class ReplicaWaiter {
  private readonly connection: RedisConnection;
  private readonly options: ReplicaWaitOptions;
  private readonly queues = new Map<string, ServerQueue>();

  /** @param connection used for nothing else. */
  constructor(connection: RedisConnection, options: ReplicaWaitOptions) {
    this.connection = connection;
    this.options = options;
  }

  /** Were there too few replicas the last time? Then it is better to wait before something is appended. */
  lacksReplicas({ state }: StreamKeys): boolean {
    return this.queues.get(this.connection.serverOf(state))?.lacksReplicas ?? false;
  }

  /**
   * Resolves when enough replicas have everything that is in the app's stream now, with whether each of these batches is in it.
   * @throws TailraceError `unavailable` when there are too few.
   */
  async waitForReplicas(keys: StreamKeys, places: readonly StoredPlace[]): Promise<boolean[]> {
    const replies = await this.request(
      keys,
      places.flatMap((place) => lookups(keys, place)),
    );
    return places.map((place) => isStored(place, replies.splice(0, lookups(keys, place).length)));
  }

  /**
   * The last sequence of an app's stream, when enough replicas have all up to it: no failover takes that back.
   * @throws TailraceError `unavailable` when there are too few.
   */
  async replicatedEnd(keys: StreamKeys): Promise<Sequence> {
    const [next] = await this.request(keys, [['hget', keys.state, 'next']]);
    return Number(next ?? 1) - 1;
  }

  /**
   * Resolves when enough replicas have the records of an app's scope as they are now, with what is stored of some of them. When there are too few, it
   * waits once, and then as long as they stay away not at all.
   * @returns undefined when there are too few
   */
  async replicatedRecords(
    app: AppId,
    recordNames: readonly string[],
  ): Promise<readonly (string | undefined)[] | undefined> {
    const keys = streamKeys(app);
    const { values } = recordKeys(app);
    const replies = this.request(
      keys,
      recordNames.map((name) => ['hget', values, name]),
    );
    if (this.lacksReplicas(keys)) {
      // It finds out whether they are back.
      replies.catch(() => {});
      return undefined;
    }
    try {
      return (await replies).map((text) => (text === null ? undefined : String(text)));
    } catch (error) {
      if (this.lacksReplicas(keys)) return undefined;
      throw error;
    }
  }

  close(): void {
    this.connection.close();
  }

  /** Gives the answers to the commands when enough replicas have what was there then. */
  private request(keys: StreamKeys, commands: readonly Command[]): Promise<unknown[]> {
    const server = this.connection.serverOf(keys.state);
    let queue = this.queues.get(server);
    if (!queue) {
      queue = { waiting: [], busy: false, lacksReplicas: false };
      this.queues.set(server, queue);
    }
    const mine = queue;
    return new Promise((resolve, reject) => {
      mine.waiting.push({ keys, commands, resolve, reject });
      if (!mine.busy) void this.processQueue(mine);
    });
  }

  private async processQueue(queue: ServerQueue): Promise<void> {
    queue.busy = true;
    while (queue.waiting.length > 0) {
      const requests = queue.waiting.splice(0);
      try {
        const replies = await this.sendWait(queue, requests);
        for (const { commands, resolve } of requests) resolve(replies.splice(0, commands.length));
      } catch (error) {
        for (const { reject } of requests) reject(error);
      }
    }
    queue.busy = false;
  }

  private async sendWait(queue: ServerQueue, requests: readonly WaitRequest[]): Promise<unknown[]> {
    const { replicas, timeoutMs } = this.options;
    const replies = await this.connection.pipeline([
      ...requests.flatMap(({ commands }) => commands),
      ['hset', requests[0].keys.state, 'waited', Date.now()],
      ['wait', replicas, timeoutMs],
    ]);
    const reached = Number(replies[replies.length - 1]);
    queue.lacksReplicas = reached < replicas;
    if (queue.lacksReplicas)
      throw new TailraceError(
        'unavailable',
        `${reached} of Redis' replicas had the lines within ${timeoutMs} ms, and REDIS_WAIT asks for ${replicas}: bring replicas back, or lower REDIS_WAIT; nothing that was accepted is lost.`,
      );
    return replies;
  }
}

/** Commands that look for a batch. */
function lookups({ index, frameIds }: StreamKeys, place: StoredPlace): Command[] {
  if ('frameId' in place) return frameIds.map((key) => ['hget', key, place.frameId]);
  return [['xrange', index, entryId(place.last), entryId(place.last)]];
}

/** @param replies to the {@link lookups} of the place */
function isStored(place: StoredPlace, replies: readonly unknown[]): boolean {
  if ('frameId' in place) return replies.some((first) => first !== null && Number(first) === place.first);
  const [[entry]] = replies as [StreamEntry[]];
  if (!entry) return false;
  const { count, bytes, storedAtMs } = readBatchHeader(entry);
  return count === place.count && bytes === place.bytes && storedAtMs === place.storedAtMs;
}
