/**
 * The connection to Redis: one for commands, one for pub/sub. It reconnects by itself; while it is unavailable every
 * command fails at once: the caller knows better what to do than a queue that grows.
 */

import { Cluster, Redis } from 'ioredis';
import { TailraceError } from '../../../../common/errors.ts';
import type { Log } from '../../../../common/log.ts';
import type { LuaScript } from '../lua-scripts.ts';
import { hashSlot, makeClients, RECONNECT, type RedisClientOptions } from './clients.ts';
import { isConnectionError, mayHaveRun, redisError, UnansweredCommand } from './redis-errors.ts';
import type { RedisAddress } from './redis-url.ts';
import { EncodedCommand, type ScriptCall } from './script-call.ts';

export interface RedisConnectionOptions extends RedisClientOptions {
  readonly log: Log;
  /** How long commands wait for a Redis that goes away before {@link RedisConnection.endStart}, ms; left out: not at all. */
  readonly startPatienceMs?: number;
}

/** Keys that one `SCAN` looks at. */
const SCAN_COUNT = 1_000;
/** Between two attempts to send a command while the start waits for Redis. */
const START_RETRY_MS = 50;

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
  /** Whoever uses it has started: from now on what fails is told at once. */
  private startEnded = false;
  /** How long a Redis that goes away is waited for, ms; 0 when that was in vain. */
  private startPatienceMs: number;
  private warned = false;
  private isStartingOver = false;
  private closed = false;

  /** Starts to connect; {@link ready} resolves when it is connected. */
  constructor(options: RedisConnectionOptions) {
    this.address = options.address;
    this.log = options.log;
    this.startPatienceMs = options.startPatienceMs ?? 0;
    const { commands, subscriber } = makeClients(options);
    this.commands = commands;
    this.subscriber = subscriber;
    for (const client of new Set([commands, subscriber])) {
      client.on('error', (error: unknown) => this.onError(error));
      client.on('node error', (error: unknown) => this.onError(error));
      client.on('end', () => this.reconnect(client));
    }
    commands.on('ready', () => this.onReady());
    commands.on('close', () => {
      this.isStartingOver = false;
      this.onClose();
    });
    if (subscriber !== commands) subscriber.on('ready', () => this.notifyConnected());
  }

  /** Is it connected now? */
  get isConnected(): boolean {
    return this.connected;
  }

  /** Keys of different slots need calls of their own. */
  get isCluster(): boolean {
    return this.commands instanceof Cluster;
  }

  /**
   * Resolves when it is connected.
   * @throws TailraceError with the last error, when that takes longer than `limitMs` or can't succeed.
   */
  async ready(limitMs: number): Promise<void> {
    const endMs = performance.now() + limitMs;
    while (!this.connected) {
      const error = this.explain(this.disconnectReason(new Error(`no answer within ${limitMs} ms`)));
      if (error.code === 'settings' || performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Calls `listener` whenever it was connected (again): nothing is subscribed to, and messages may have been lost. */
  onConnect(listener: () => void): void {
    this.connectListeners.add(listener);
  }

  /** Calls `listener` with what is published on channels that are subscribed to; on a new connection none are. */
  onMessage(listener: (channel: string, message: string) => void): void {
    this.subscriber.on('message', listener);
  }

  /**
   * Sends a command; strings in its reply are strings.
   * @throws UnansweredCommand, as all of these, when it may have run all the same.
   */
  async call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.send(() => this.commands.call(command, args));
  }

  /** Sends a command to the server, or to every master of a Cluster. */
  async callMasters(command: string): Promise<unknown[]> {
    const { commands } = this;
    return this.send(() => {
      const servers = commands instanceof Cluster ? commands.nodes('master') : [commands];
      return Promise.all(servers.map((server) => server.call(command)));
    });
  }

  /** Gives all keys that match a pattern, of the server or of every master of a Cluster, in portions; some may come twice. */
  async scan(pattern: string, onKeys: (keys: string[]) => Promise<void>): Promise<void> {
    const { commands } = this;
    for (const server of commands instanceof Cluster ? commands.nodes('master') : [commands])
      for (let cursor = '0'; ; ) {
        const scan = (): Promise<unknown> =>
          server.call('scan', cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
        const [next, keys] = (await this.send(scan)) as [string, string[]];
        if (keys.length > 0) await onKeys(keys);
        if (next === '0') break;
        cursor = next;
      }
  }

  /** Sends a command; strings in its reply are bytes. */
  async callBytes(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.send(() => this.commands.callBuffer(command, args));
  }

  /** Sends commands one after the other to the server of a key; strings in their replies are bytes. */
  async pipeline(commands: readonly (readonly [string, ...RedisArgument[]])[]): Promise<unknown[]> {
    return this.translateErrors(async () => {
      const pipeline = this.commands.pipeline();
      for (const [command, ...args] of commands) pipeline.callBuffer(command, ...args);
      const replies = (await pipeline.exec()) ?? [];
      const [error] = replies.find(([failure]) => failure !== null) ?? [];
      if (error) {
        await this.followFailover(error);
        throw error;
      }
      return replies.map(([, reply]) => reply);
    });
  }

  /**
   * A master of a Cluster has become a replica. The client learns of that when a command is redirected, and not in a pipeline with `WAIT`,
   * which isn't: it would go on asking that server forever.
   */
  private async followFailover({ message }: Error): Promise<void> {
    const { commands } = this;
    if (!(commands instanceof Cluster) || !/\bMOVED\b|WAIT cannot be used with replica/.test(message)) return;
    await new Promise<void>((resolve) => commands.refreshSlotsCache(() => resolve()));
  }

  /** Names the server that holds a key: keys of one server have the same. */
  serverOf(key: string): string {
    const { commands } = this;
    return commands instanceof Cluster ? (commands.slots[hashSlot(key)]?.[0] ?? '') : '';
  }

  /**
   * Runs a script.
   * @param once it does something else the second time: it is never repeated, also not when its answer didn't come.
   */
  async runScript(
    script: LuaScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    once = false,
  ): Promise<unknown> {
    return this.send(async () => {
      try {
        return await this.commands.call('evalsha', [script.sha, keys.length, ...keys, ...args]);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return this.commands.call('eval', [script.source, keys.length, ...keys, ...args]);
      }
    }, once);
  }

  /**
   * Runs a script whose keys and arguments are written already; otherwise like {@link runScript}.
   * @param key one of its keys: in a Cluster all of them are in its slot.
   */
  async runScriptCall(script: LuaScript, key: string, call: ScriptCall): Promise<unknown> {
    const run = (name: 'evalsha' | 'eval', text: string): Promise<unknown> =>
      this.commands.sendCommand(
        new EncodedCommand(name, [text, '1', key], call.command(name, text)),
      ) as Promise<unknown>;
    return this.send(async () => {
      try {
        return await run('evalsha', script.sha);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return run('eval', script.source);
      }
    });
  }

  /** An error that a script has caught, as one of the whole call would be. */
  caughtError(text: string): TailraceError {
    const error = new Error(text);
    error.name = 'ReplyError';
    return this.explain(error);
  }

  /** The slot of a key in a Cluster; of one server alone everything is in the same. */
  slotOf(key: string): number {
    return this.isCluster ? hashSlot(key) : 0;
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

  /** Resolves when Redis has confirmed it. @throws TailraceError `unavailable` */
  async subscribe(channels: readonly string[]): Promise<void> {
    await this.send(() => this.subscriber.subscribe(...channels));
  }

  /** Resolves when Redis has confirmed it. @throws TailraceError `unavailable` */
  async unsubscribe(channels: readonly string[]): Promise<void> {
    await this.send(() => this.subscriber.unsubscribe(...channels));
  }

  /** Cuts the connections: calls that are under way fail, and none is tried again. */
  close(): void {
    this.closed = true;
    for (const client of new Set([this.commands, this.subscriber])) client.disconnect();
  }

  /** Whoever uses it has started: from now on a command that can't be sent fails at once. */
  endStart(): void {
    this.startEnded = true;
    this.startPatienceMs = 0;
  }

  /** Sends a command; while its user starts, again and again when Redis is away, for a while. */
  private send<T>(command: () => Promise<T>, once = false): Promise<T> {
    return this.startPatienceMs === 0 || once ? this.translateErrors(command) : this.sendPatiently(command);
  }

  private async sendPatiently<T>(command: () => Promise<T>): Promise<T> {
    let giveUpMs = Number.POSITIVE_INFINITY;
    for (;;)
      try {
        return await this.translateErrors(command);
      } catch (error) {
        if (this.startPatienceMs === 0 || this.closed || !this.isTransient(error)) throw error;
        const nowMs = performance.now();
        giveUpMs = Math.min(giveUpMs, nowMs + this.startPatienceMs);
        if (nowMs > giveUpMs) {
          this.startPatienceMs = 0;
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, START_RETRY_MS));
      }
  }

  /** Does a command fail for a reason that passes by itself? */
  private isTransient(error: unknown): boolean {
    if (!(error instanceof TailraceError) || error.code !== 'unavailable') return false;
    const said = String(error.cause);
    // One server that is a replica stays one; others name another master.
    if (/\bREADONLY\b/.test(said)) return this.address.kind !== 'single';
    return (
      isConnectionError(said) ||
      /\b(?:LOADING|NOTREADY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN)\b|slots cache|startup nodes|Cluster redirections|[Ss]entinel/.test(
        said,
      )
    );
  }

  private async translateErrors<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (error instanceof Error && error.message === 'Command timed out') this.startOver();
      const explained = this.explain(
        isConnectionError(error) && !this.connected ? this.disconnectReason(error) : error,
      );
      if (!mayHaveRun(error, this.isCluster)) throw explained;
      throw new UnansweredCommand(explained.code, explained.message, { cause: explained.cause });
    }
  }

  /** A late reply would be taken for the next command's: reconnects, once for all commands that wait. */
  private startOver(): void {
    if (this.isStartingOver || !(this.commands instanceof Redis)) return;
    this.isStartingOver = true;
    this.commands.disconnect(true);
  }

  /** Why the connection is unavailable, as well as that is known; `error` says only that it is. */
  private disconnectReason(error: unknown): unknown {
    // Connected, and not ready yet: the client waits until the server answers, and has loaded its data.
    if (this.commands instanceof Redis && this.commands.status === 'connect') return new Error('NOTREADY');
    return this.lastError ?? error;
  }

  private explain(error: unknown): TailraceError {
    return redisError(error, this.address.text, this.startEnded);
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
    this.warned = false;
    this.lastError = undefined;
    this.notifyConnected();
  }

  private onClose(): void {
    if (!this.connected || this.closed) return;
    this.connected = false;
    this.warned = true;
    const message = this.startEnded
      ? 'the connection to Redis is lost: lines wait, and senders are asked to wait, until it is back'
      : 'the connection to Redis is lost: the start waits for it for a moment';
    this.log.warn({ redis: this.address.text }, message);
  }

  private notifyConnected(): void {
    for (const listener of this.connectListeners) listener();
  }
}
