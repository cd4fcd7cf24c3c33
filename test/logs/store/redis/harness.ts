/** What the tests of the Redis store share. */
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import type { AppId, Store } from '../../../../src/logs/store/contract.ts';
import { streamKeys } from '../../../../src/logs/store/redis/keys.ts';
import { LUA_SCRIPTS } from '../../../../src/logs/store/redis/lua-scripts.ts';
import { packRecords } from '../../../../src/logs/store/redis/packing.ts';
import { RedisStore, type RedisStoreOptions } from '../../../../src/logs/store/redis/redis-store.ts';
import { batchOf } from '../../../support/batches.ts';
import { RedisServer, type RedisServerOptions } from '../../../support/redis/redis-server.ts';

export const RETENTION = { lines: 1_000_000, bytes: 1 << 30, ageMs: 86_400_000 };

/** Durable as far as one server can be. */
export const AOF_ALWAYS = ['appendonly yes', 'appendfsync always'];

/** Starts a server for one test. */
export async function startRedisForTest(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  onTestFinished(() => server.remove());
  return server;
}

/** Opens a store for one test; its warnings are collected. */
export async function openRedisStoreForTest(
  url: string,
  options?: Partial<RedisStoreOptions>,
): Promise<{ store: RedisStore; warnings: string[] }> {
  const warnings: string[] = [];
  const log = {
    ...SILENT_LOG,
    warn: (_fields: object, message: string): void => {
      warnings.push(message);
    },
  };
  const store = await RedisStore.open({ url, retention: RETENTION, log, ...options });
  onTestFinished(() => store.close());
  return { store, warnings };
}

/** Appends numbered lines one after the other, each as the same batch again until it is acknowledged. */
export class RetryingAppender {
  /** Text and sequence of every line that was acknowledged. */
  readonly acknowledged: { text: string; first: number }[] = [];
  readonly failures: string[] = [];
  /** How long appends took to fail, ms. */
  private readonly refusalMs: number[] = [];
  private running = true;
  private readonly finished: Promise<void>;

  constructor(store: Store, app: AppId, name = 'line') {
    this.finished = this.run(store, app, name);
  }

  /** The median, ms: a busy machine delays single ones. */
  get usualRefusalMs(): number {
    const sorted = [...this.refusalMs].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.finished;
  }

  private async run(store: Store, app: AppId, name: string): Promise<void> {
    for (let number = 1; this.running; number++) {
      const text = `${name} ${number}`;
      const batch = batchOf(text);
      while (this.running) {
        const startedMs = performance.now();
        try {
          const { first } = await store.append(app, batch);
          this.acknowledged.push({ text, first });
          break;
        } catch (error) {
          this.failures.push(String(error));
          this.refusalMs.push(performance.now() - startedMs);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    }
  }
}

/** What a call of lua/append.lua has besides batches. */
export interface AppendCall {
  /** What the names of channels begin with. */
  readonly channels?: string;
  readonly origin: string;
  readonly number: number;
  /** On the clock of Redis, ms; '-' for the question what became of the call. */
  readonly deadline: number | '-';
}

/** Calls lua/append.lua itself, with batches of one line each and bounds that are never reached. */
export async function callAppendScript(
  server: RedisServer,
  streams: readonly (readonly [AppId, readonly string[]])[],
  { channels = 'nobody:', origin, number, deadline }: AppendCall,
): Promise<unknown[]> {
  const keys = streams.flatMap(([app]) => {
    const { lines, index, state } = streamKeys(app);
    return [lines, index, state];
  });
  const time = Buffer.alloc(8);
  if (deadline !== '-') time.writeDoubleLE(deadline);
  const args = [1e6, 1e9, 1e9, 1e6, 1e3, origin, channels, number, deadline === '-' ? '-' : time];
  const heads = streams.flatMap(([, texts]) => {
    const batches = texts.map((text) => batchOf(text));
    const head = Buffer.alloc(11 + 10 * batches.length);
    head.writeDoubleLE(1, 0);
    head.writeUInt16LE(batches.length, 8);
    for (const [i, { bytes }] of batches.entries()) {
      head.writeUInt32LE(1, 11 + 10 * i);
      head.writeUInt32LE(bytes.length, 15 + 10 * i);
    }
    return [head, ...batches.map(({ bytes }) => packRecords(bytes))];
  });
  const client = new Redis(server.port);
  try {
    const call = [LUA_SCRIPTS.append.source, keys.length, ...keys, ...args, ...heads];
    return (await client.call('eval', call)) as unknown[];
  } finally {
    client.disconnect();
  }
}
