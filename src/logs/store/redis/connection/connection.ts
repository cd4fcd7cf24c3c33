/**
 * The connection to Redis: one for commands, one for pub/sub. It reconnects by itself; while it is unavailable every
 * command fails at once: the caller knows better what to do than a queue that grows.
 */

import { Cluster, Redis } from 'ioredis';
import type { TailraceError } from '../../../../common/errors.ts';
import type { Log } from '../../../../common/log.ts';
import type { LuaScript } from '../lua-scripts.ts';
import { hashSlot, makeClients, RECONNECT, type RedisClientOptions } from './clients.ts';
import { isConnectionError, mayHaveRun, redisError, UnansweredCommand } from './redis-errors.ts';
import type { RedisAddress } from './redis-url.ts';

export interface RedisConnectionOptions extends RedisClientOptions {
  readonly log: Log;
}

export type RedisArgument = string | number | Buffer;

export class RedisConnection {
  readonly address: RedisAddress;
  private readonly commands: Redis | Cluster;
  /** The same as `commands` for a Cluster, which has its own connection for pub/sub. */
  private readonly subscriber: Redis | Cluster;
  private readonly log: Log;
  private readonly connectListeners = new Set<() => void>();
  private lastError: unknown;
  private connected = false;
  private hasConnected = false;
  private warned = false;
  private closed = false;

  /** Starts to connect; {@link ready} resolves when it is connected. */
  constructor(options: RedisConnectionOptions) {
    this.address = options.address;
    this.log = options.log;
    const { commands, subscriber } = makeClients(options);
    this.commands = commands;
    this.subscriber = subscriber;
    for (const client of new Set([commands, subscriber])) {
      client.on('error', (error: unknown) => this.onError(error));
      client.on('node error', (error: unknown) => this.onError(error));
      client.on('end', () => this.reconnect(client));
    }
    commands.on('ready', () => this.onReady());
    commands.on('close', () => this.onClose());
    if (subscriber !== commands) subscriber.on('ready', () => this.notifyConnected());
  }

  /** Is it connected now? */
  get isConnected(): boolean {
    return this.connected;
  }

  get isCluster(): boolean {
    return this.commands instanceof Cluster;
  }

  /**
   * Resolves when it is connected.
   * @throws TailraceError with the last error, when that takes longer than `limitMs` or can't succeed.
   */
  async ready(limitMs: number): Promise<void> {
    const endMs = Date.now() + limitMs;
    while (!this.connected) {
      const error = this.explain(this.disconnectReason(new Error(`no answer within ${limitMs} ms`)));
      if (error.code === 'settings' || Date.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Calls `listener` whenever it was connected (again): nothing is subscribed to, and messages may have been lost. */
  onConnect(listener: () => void): void {
    this.connectListeners.add(listener);
  }

  onMessage(listener: (channel: string, message: string) => void): void {
    this.subscriber.on('message', listener);
  }

  /**
   * Sends a command; strings in its reply are strings.
   * @throws UnansweredCommand, as all of these, when it may have run all the same.
   */
  async call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.translateErrors(() => this.commands.call(command, args));
  }

  /** Sends a command to the server, or to every master of a Cluster. */
  async callMasters(command: string): Promise<unknown[]> {
    const { commands } = this;
    const servers = commands instanceof Cluster ? commands.nodes('master') : [commands];
    return this.translateErrors(() => Promise.all(servers.map((server) => server.call(command))));
  }

  /** Sends a command; strings in its reply are bytes. */
  async callBytes(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.translateErrors(() => this.commands.callBuffer(command, args));
  }

  /** Sends commands one after the other to the server of a key; strings in their replies are bytes. */
  async pipeline(commands: readonly (readonly [string, ...RedisArgument[]])[]): Promise<unknown[]> {
    return this.translateErrors(async () => {
      const pipeline = this.commands.pipeline();
      for (const [command, ...args] of commands) pipeline.callBuffer(command, ...args);
      const replies = await pipeline.exec();
      return (replies ?? []).map(([error, reply]) => {
        if (error) throw error;
        return reply;
      });
    });
  }

  /** Names the server that holds a key: keys of one server have the same. */
  serverOf(key: string): string {
    const { commands } = this;
    return commands instanceof Cluster ? (commands.slots[hashSlot(key)]?.[0] ?? '') : '';
  }

  /** Runs a script. */
  async runScript(
    script: LuaScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    return this.translateErrors(async () => {
      try {
        return await this.commands.call('evalsha', [script.sha, keys.length, ...keys, ...args]);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return this.commands.call('eval', [script.source, keys.length, ...keys, ...args]);
      }
    });
  }

  /**
   * Reads the same field of many hashes: null where there is none, undefined where that isn't known. One round trip a
   * server.
   */
  async hgetEach(keys: readonly string[], field: string): Promise<(string | null | undefined)[]> {
    const { commands } = this;
    if (!(commands instanceof Cluster))
      throw new Error('hgetEach is for a Cluster: one server runs a script instead');
    const byNode = new Map<string, number[]>();
    for (const [i, key] of keys.entries()) {
      const node = this.serverOf(key);
      const indexes = byNode.get(node);
      if (indexes) indexes.push(i);
      else byNode.set(node, [i]);
    }
    const found: (string | null | undefined)[] = new Array(keys.length);
    await Promise.all(
      [...byNode.values()].map(async (indexes) => {
        const pipeline = commands.pipeline();
        for (const i of indexes) pipeline.hget(keys[i], field);
        const replies = await pipeline.exec().catch(() => undefined);
        replies?.forEach(([error, value], j) => {
          if (!error && (typeof value === 'string' || value === null)) found[indexes[j]] = value;
        });
      }),
    );
    return found;
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    await this.translateErrors(() => this.subscriber.subscribe(...channels));
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    await this.translateErrors(() => this.subscriber.unsubscribe(...channels));
  }

  close(): void {
    this.closed = true;
    for (const client of new Set([this.commands, this.subscriber])) client.disconnect();
  }

  private async translateErrors<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      // A late reply would be taken for the next command's: reconnect.
      if (error instanceof Error && error.message === 'Command timed out' && this.commands instanceof Redis)
        this.commands.disconnect(true);
      const explained = this.explain(
        isConnectionError(error) && !this.connected ? this.disconnectReason(error) : error,
      );
      if (!mayHaveRun(error, this.isCluster)) throw explained;
      throw new UnansweredCommand(explained.code, explained.message, { cause: explained.cause });
    }
  }

  /** Why the connection is unavailable, as well as that is known; `error` says only that it is. */
  private disconnectReason(error: unknown): unknown {
    // Connected, and not ready yet: the client waits until the server has loaded its data.
    if (this.commands instanceof Redis && this.commands.status === 'connect') return new Error('LOADING');
    return this.lastError ?? error;
  }

  private explain(error: unknown): TailraceError {
    return redisError(error, this.address.text, this.hasConnected);
  }

  private onError(error: unknown): void {
    this.lastError = error;
    if (this.connected || this.warned || this.closed) return;
    this.warned = true;
    this.log.warn({ redis: this.address.text }, this.explain(error).message);
  }

  /**
   * Reconnects a client that has ended. One behind Sentinels ends when it is notified of a failover while it queries a Sentinel for
   * the master's address: it closes then.
   */
  private reconnect(client: Redis | Cluster): void {
    setTimeout(() => {
      // A failure is emitted as `error`, and leads here again by `end`.
      if (!this.closed) client.connect().catch(() => {});
    }, RECONNECT.firstMs).unref();
  }

  private onReady(): void {
    if (this.warned) this.log.warn({ redis: this.address.text }, 'Redis answers again');
    this.connected = true;
    this.hasConnected = true;
    this.warned = false;
    this.lastError = undefined;
    this.notifyConnected();
  }

  private onClose(): void {
    if (!this.connected || this.closed) return;
    this.connected = false;
    this.warned = true;
    const message =
      'the connection to Redis is lost: lines wait, and senders are asked to wait, until it is back';
    this.log.warn({ redis: this.address.text }, message);
  }

  private notifyConnected(): void {
    for (const listener of this.connectListeners) listener();
  }
}
