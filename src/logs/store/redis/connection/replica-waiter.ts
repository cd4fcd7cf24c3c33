/**
 * Waits until replicas have what was appended (`REDIS_WAIT`), for all queued requests at once, over a connection of its own: `WAIT`
 * blocks a connection.
 *
 * Over one connection to one server: read the entry; write something; `WAIT`. Replication keeps the order, so that a
 * replica that has the write has the entry, whoever appended it and over whichever connection. After a failover that lost
 * the entry it isn't there, and has to be appended again.
 */
import { TailraceError } from '../../../../common/errors.ts';
import type { Sequence } from '../../contract.ts';
import { type BatchHeader, entryId, readBatchHeader, type StreamEntry } from '../batch-header.ts';
import type { StreamKeys } from '../keys.ts';
import type { RedisConnection } from './connection.ts';

export interface ReplicaWaitOptions {
  /** Replicas that must have a line before it is acknowledged; 0: none. */
  readonly replicas: number;
  /** How long they may take, ms. */
  readonly timeoutMs: number;
}

/** What enough replicas have of a stream. */
interface Replicated {
  /** Whether each batch that was asked about is in it. */
  readonly present: boolean[];
  /** The last sequence of it. */
  readonly end: Sequence;
}

interface WaitRequest {
  readonly keys: StreamKeys;
  readonly headers: readonly BatchHeader[];
  readonly resolve: (replicated: Replicated) => void;
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
  async waitForReplicas(keys: StreamKeys, headers: readonly BatchHeader[]): Promise<boolean[]> {
    return (await this.request(keys, headers)).present;
  }

  /**
   * The last sequence of an app's stream, when enough replicas have all up to it: no failover takes that back.
   * @throws TailraceError `unavailable` when there are too few.
   */
  async replicatedEnd(keys: StreamKeys): Promise<Sequence> {
    return (await this.request(keys, [])).end;
  }

  close(): void {
    this.connection.close();
  }

  private request(keys: StreamKeys, headers: readonly BatchHeader[]): Promise<Replicated> {
    const server = this.connection.serverOf(keys.state);
    let queue = this.queues.get(server);
    if (!queue) {
      queue = { waiting: [], busy: false, lacksReplicas: false };
      this.queues.set(server, queue);
    }
    const mine = queue;
    return new Promise((resolve, reject) => {
      mine.waiting.push({ keys, headers, resolve, reject });
      if (!mine.busy) void this.processQueue(mine);
    });
  }

  private async processQueue(queue: ServerQueue): Promise<void> {
    queue.busy = true;
    while (queue.waiting.length > 0) {
      const requests = queue.waiting.splice(0);
      try {
        const replicated = await this.sendWait(queue, requests);
        for (const [i, { resolve }] of requests.entries()) resolve(replicated[i]);
      } catch (error) {
        for (const { reject } of requests) reject(error);
      }
    }
    queue.busy = false;
  }

  private async sendWait(queue: ServerQueue, requests: readonly WaitRequest[]): Promise<Replicated[]> {
    const { replicas, timeoutMs } = this.options;
    const replies = await this.connection.pipeline([
      ...requests.flatMap(({ keys: { index, state }, headers }) => [
        ...headers.map(({ last }) => ['xrange', index, entryId(last), entryId(last)] as const),
        ['hget', state, 'next'] as const,
      ]),
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
    let at = 0;
    return requests.map(({ headers }) => ({
      present: headers.map((header) => isEntryOf(header, replies[at++] as StreamEntry[])),
      end: Number(replies[at++] ?? 1) - 1,
    }));
  }
}

function isEntryOf(header: BatchHeader, [entry]: readonly StreamEntry[]): boolean {
  if (!entry) return false;
  const { count, bytes, storedAtMs } = readBatchHeader(entry);
  return count === header.count && bytes === header.bytes && storedAtMs === header.storedAtMs;
}
