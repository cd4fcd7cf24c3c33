/** The small records in Redis: a hash per scope, and a sorted set of its keys for listing them. */
import { randomUUID } from 'node:crypto';
import type { AppId, RecordChange, StoredRecord } from '../contract.ts';
import { appOfRecord } from '../record-app.ts';
import type { RedisArgument, RedisConnection } from './connection/connection.ts';
import { RECORDS_CHANNEL, recordKeys, STORE_ID_KEY } from './keys.ts';
import { LUA_SCRIPTS, type LuaScript } from './lua-scripts.ts';
import { originWithKeys } from './records-message.ts';

/** Records that are listed with one call, which blocks Redis. */
const PAGE_RECORDS = 1_000;

/** All records of a scope, or of one app among them, are listed in pages: records that change meanwhile may be as before or after. */
export class RedisRecords {
  private readonly connection: RedisConnection;
  private readonly origin: string;

  /** @param origin identifies this process in notifications. */
  constructor(connection: RedisConnection, origin: string) {
    this.connection = connection;
    this.origin = origin;
  }

  /** As {@link Store.get}. */
  async get<T>(scope: string, key: string): Promise<StoredRecord<T> | undefined> {
    const text = await this.connection.call('hget', recordKeys(scope).values, key);
    return typeof text === 'string' ? parse<T>(key, text) : undefined;
  }

  /** As {@link Store.list}. */
  list<T>(scope: string, prefix: string): Promise<StoredRecord<T>[]> {
    const { values, keys } = recordKeys(scope);
    return this.listPages<T>(prefix, LUA_SCRIPTS.list, [values, keys], '');
  }

  /** Records of no app that belong to this one. */
  async listOfApp<T>(app: AppId, prefix: string): Promise<StoredRecord<T>[]> {
    const { values, keys, revision, byApp, byAppRevision } = recordKeys('');
    const scriptKeys = [values, keys, revision, byApp, byAppRevision];
    const found = await this.listPages<T>(prefix, LUA_SCRIPTS.listOfApp, scriptKeys, `${app}/`);
    return found.filter(({ value }) => appOfRecord(value) === app);
  }

  /** @param before what the sorted set has before each key */
  private async listPages<T>(
    prefix: string,
    script: LuaScript,
    keys: readonly string[],
    before: string,
  ): Promise<StoredRecord<T>[]> {
    const found: StoredRecord<T>[] = [];
    // No key has the byte 0xff in it, since keys are UTF-8.
    const end = Buffer.concat([Buffer.from(`(${before}${prefix}`), Buffer.from([0xff])]);
    let start = `[${before}${prefix}`;
    for (;;) {
      const page = (await this.connection.runScript(script, keys, [
        start,
        end,
        PAGE_RECORDS,
        before,
      ])) as string[];
      // A key that an index still has may have no record any more.
      for (let i = 0; i < page.length; i += 2)
        if (page[i + 1] !== '') found.push(parse<T>(page[i], page[i + 1]));
      if (page.length < PAGE_RECORDS * 2) return found;
      start = `(${before}${page[page.length - 2]}`;
    }
  }

  /** Makes all changes or none; gives the number of the transaction, 0 when it isn't counted, undefined when it wasn't made. */
  async transact(
    scope: string,
    changes: readonly RecordChange[],
    quiet: boolean,
  ): Promise<number | undefined> {
    const { values, keys, revision, byApp, byAppRevision } = recordKeys(scope);
    const args: RedisArgument[] = [quiet ? '' : RECORDS_CHANNEL, originWithKeys(this.origin, changes), scope];
    for (const { key, value, ifVersion } of changes)
      args.push(
        key,
        ifVersion ?? '',
        value === undefined ? '' : JSON.stringify(value),
        scope === '' ? (appOfRecord(value) ?? '') : '',
      );
    const [made, number] = (await this.connection.runScript(
      LUA_SCRIPTS.transact,
      [values, keys, revision, byApp, byAppRevision],
      args,
      changes.some(({ ifVersion }) => ifVersion !== undefined),
    )) as number[];
    return made === 1 ? number : undefined;
  }

  /** How many transactions in the scope of no app were not quiet. */
  async revision(): Promise<number> {
    return Number((await this.connection.call('get', recordKeys('').revision)) ?? 0);
  }

  /** The id of the data in this Redis; it gets one when it has none. */
  async storeId(): Promise<string> {
    const id = await this.connection.call('get', STORE_ID_KEY);
    if (typeof id === 'string') return id;
    await this.connection.call('set', STORE_ID_KEY, randomUUID(), 'NX');
    return String(await this.connection.call('get', STORE_ID_KEY));
  }
}

/** What is stored when a change with `ifVersion` was made. */
export function storedText({ value, ifVersion = 0 }: RecordChange): string {
  return `${ifVersion + 1}:${JSON.stringify(value)}`;
}

function parse<T>(key: string, text: string): StoredRecord<T> {
  const colon = text.indexOf(':');
  return { key, version: Number(text.slice(0, colon)), value: JSON.parse(text.slice(colon + 1)) as T };
}
