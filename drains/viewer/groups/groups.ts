/**
 * Groups and their streams. All of them are held in memory: there are some hundreds, and every request asks for them.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { TailraceError } from '../../../src/common/errors.ts';
import type { RuleRecord } from '../../../src/logs/router/source-rules.ts';
import { type TokenRecord, tokenKey, WILDCARD_SOURCE } from '../../../src/logs/router/token-cache.ts';
import type { AppId, RecordChange, Store } from '../../../src/logs/store/contract.ts';
import { GroupIndex, type SenderName, senderKey } from './group-index.ts';
import {
  GROUP_PREFIX,
  type GroupRecord,
  groupKey,
  type LogStreamRecord,
  NUMBER_KEY,
  REMOVED_PREFIX,
  STREAM_PREFIX,
  streamKey,
} from './group-records.ts';

const NAME_CHARACTERS_MAX = 100;
/** Streams that senders may make by themselves in one group: what comes beyond goes to the group's own. */
const SENDER_STREAMS_MAX = 1_000;
/** Of streams whose records were lost. */
export const RECOVERED_GROUP = 'recovered';
/** When two change the same at once, the later one reads again. */
const ATTEMPTS_MAX = 20;

/** Each change is in the store before it is in memory; what asks gets records that are never changed, but replaced. */
export class Groups {
  private readonly records: Store;
  private readonly index = new GroupIndex();
  private readonly listeners = new Set<(streams: readonly AppId[]) => void>();
  /** Streams that are being made for a sender, so that two of its requests don't make two. */
  private readonly beingMade = new Map<string, Promise<LogStreamRecord>>();

  private constructor(records: Store) {
    this.records = records;
  }

  /** Reads them once: nobody else writes these records. */
  static async open(records: Store): Promise<Groups> {
    const groups = new Groups(records);
    for (const prefix of [GROUP_PREFIX, STREAM_PREFIX]) groups.apply(await records.list('', prefix));
    return groups;
  }

  /** All groups, by name. */
  list(): readonly GroupRecord[] {
    return this.index.list;
  }

  /** The streams of a group, by name. */
  streamsOf(group: string): readonly LogStreamRecord[] {
    return this.index.streamsOf(group);
  }

  /** By id; undefined when there is none. */
  find(id: string): GroupRecord | undefined {
    return this.index.group(id);
  }

  /** By id; undefined when there is none. */
  findStream(id: string): LogStreamRecord | undefined {
    return this.index.stream(id as AppId);
  }

  /** @throws TailraceError `not_found` */
  get(id: string): GroupRecord {
    const group = this.find(id);
    if (!group) throw new TailraceError('not_found', "Couldn't find that group.");
    return group;
  }

  /** @throws TailraceError `not_found` */
  getStream(id: string): LogStreamRecord {
    const stream = this.findStream(id);
    if (!stream) throw new TailraceError('not_found', "Couldn't find that stream.");
    return stream;
  }

  /** The group whose token this is, if it is one's. */
  withToken(token: string): GroupRecord | undefined {
    return this.index.withToken(token);
  }

  /**
   * Calls `listener` after groups or streams were made, changed or removed, with the streams among them, until the returned function is
   * called.
   */
  onChange(listener: (streams: readonly AppId[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** @throws TailraceError `invalid_params`, `conflict` */
  async create(name: string, token = newToken()): Promise<GroupRecord> {
    const clean = cleanName(name, 'group');
    assertFree(this.index.groupNamed(clean), 'group');
    const id = randomUUID();
    const stream = randomUUID() as AppId;
    const createdAt = new Date().toISOString();
    const group: GroupRecord = { id, name: clean, token, defaultStream: stream, createdAt };
    const made = await this.addStream({ id: stream, name: clean, group: id, token: newToken(), createdAt }, [
      { key: groupKey(id), value: group, ifVersion: 0 },
      { key: tokenKey(token), value: tokenRecord(token, stream), ifVersion: 0 },
    ]);
    if (!made) throw new TailraceError('conflict', 'This token is in use already: choose another.');
    return group;
  }

  /** @throws TailraceError `invalid_params`, `conflict`, `not_found` */
  async rename(id: string, name: string): Promise<GroupRecord> {
    const group = this.get(id);
    const clean = cleanName(name, 'group');
    assertFree(this.index.groupNamed(clean), 'group', id);
    const renamed = { ...group, name: clean };
    await this.write([{ key: groupKey(id), value: renamed }]);
    return renamed;
  }

  /** A new token for a group: the old one is useless from now on. */
  async renewToken(id: string): Promise<GroupRecord> {
    const group = this.get(id);
    const renewed = { ...group, token: newToken() };
    await this.write([
      { key: groupKey(id), value: renewed },
      { key: tokenKey(group.token), value: undefined },
      { key: tokenKey(renewed.token), value: tokenRecord(renewed.token, group.defaultStream) },
    ]);
    return renewed;
  }

  /** Removes a group with its streams; their lines are left to {@link dropRemoved}. */
  async remove(id: string): Promise<void> {
    const group = this.get(id);
    const streams = this.streamsOf(id);
    await this.write([
      { key: groupKey(id), value: undefined },
      { key: tokenKey(group.token), value: undefined },
      ...streams.flatMap((stream) => removalOf(stream)),
    ]);
  }

  /** @throws TailraceError `invalid_params`, `conflict`, `not_found` */
  async createStream(group: string, name: string, token = newToken()): Promise<LogStreamRecord> {
    const clean = cleanName(name, 'stream');
    this.get(group);
    assertFree(this.index.streamNamed(group, clean), 'stream');
    const createdAt = new Date().toISOString();
    const stream = await this.addStream({ id: randomUUID() as AppId, name: clean, group, token, createdAt });
    if (!stream) throw new TailraceError('conflict', 'This token is in use already: choose another.');
    return stream;
  }

  /** @throws TailraceError `invalid_params`, `conflict`, `not_found` */
  async changeStream(
    id: string,
    change: { readonly name?: string; readonly group?: string },
  ): Promise<LogStreamRecord> {
    const stream = this.getStream(id);
    const group = change.group === undefined ? stream.group : this.get(change.group).id;
    if (group !== stream.group && this.isDefault(stream))
      throw new TailraceError('conflict', "This stream is its group's own: it stays there.");
    const name = change.name === undefined ? stream.name : cleanName(change.name, 'stream');
    assertFree(this.index.streamNamed(group, name), 'stream', id);
    const changed: LogStreamRecord = { ...stream, name, group };
    await this.write([{ key: streamKey(id), value: changed }]);
    return changed;
  }

  /** A new token for a stream: the old one is useless from now on. */
  async renewStreamToken(id: string): Promise<LogStreamRecord> {
    const stream = this.getStream(id);
    const renewed = { ...stream, token: newToken() };
    await this.write([
      { key: streamKey(id), value: renewed },
      { key: tokenKey(stream.token), value: undefined },
      { key: tokenKey(renewed.token), value: tokenRecord(renewed.token, stream.id) },
    ]);
    return renewed;
  }

  /** Its lines are left to {@link dropRemoved}. @throws TailraceError `conflict`, `not_found` */
  async removeStream(id: string): Promise<void> {
    const stream = this.getStream(id);
    if (this.isDefault(stream))
      throw new TailraceError('conflict', "This stream is its group's own: it goes with the group.");
    await this.write(removalOf(stream));
  }

  /** Drops the lines of streams that were removed, also by a process that ended before it could. */
  async dropRemoved(drop: (stream: AppId) => Promise<void>): Promise<void> {
    for (const { key } of await this.records.list('', REMOVED_PREFIX)) {
      const stream = key.slice(REMOVED_PREFIX.length);
      for (const rule of await this.records.list<RuleRecord>('', 'rule/'))
        if (rule.value.app === stream) await this.records.transact('', [{ key: rule.key, value: undefined }]);
      await drop(stream as AppId);
      await this.records.transact('', [{ key, value: undefined }]);
    }
  }

  /**
   * Gives streams whose records are lost new ones, in a group of their own: a damaged `store.mdb` was cleared up, or is an older copy.
   * @param stored streams that have lines
   */
  async adopt(stored: readonly AppId[]): Promise<readonly LogStreamRecord[]> {
    // For those that still were in the log router's files, `tailrace repair` makes records of apps.
    const repaired = (await this.records.list<Partial<LogStreamRecord>>('', STREAM_PREFIX))
      .filter(({ value }) => value.number === undefined)
      .map(({ key, value }) => ({ id: key.slice(STREAM_PREFIX.length) as AppId, value }));
    const unknown = stored.filter((id) => !this.findStream(id) && /^[\da-f-]{36}$/.test(id));
    const lost = [...new Set([...repaired.map(({ id }) => id), ...unknown])];
    if (lost.length === 0) return [];
    const group = this.index.groupNamed(RECOVERED_GROUP) ?? (await this.create(RECOVERED_GROUP));
    for (const { id } of repaired) await this.write([{ key: streamKey(id), value: undefined }]);
    const adopted: LogStreamRecord[] = [];
    for (const id of lost) {
      const name = this.freeName(`${RECOVERED_GROUP} ${id.slice(0, 8)}`, group.id);
      const createdAt = new Date().toISOString();
      const stream = await this.addStream({ id, name, group: group.id, token: newToken(), createdAt });
      if (stream) adopted.push(stream);
    }
    return adopted;
  }

  /** Is this the stream of lines that come with the group's token and name no other? */
  isDefault({ id, group }: LogStreamRecord): boolean {
    return this.find(group)?.defaultStream === id;
  }

  /**
   * The stream of one of several senders that share a group's token: made when it comes for the first time.
   */
  async streamForSender(group: GroupRecord, sender: SenderName): Promise<LogStreamRecord> {
    const key = senderKey(group.id, sender);
    const known = this.index.ofSender(group.id, sender);
    if (known) return known;
    let making = this.beingMade.get(key);
    if (!making) {
      making = this.makeForSender(group, sender).finally(() => this.beingMade.delete(key));
      this.beingMade.set(key, making);
    }
    return making;
  }

  private async makeForSender(group: GroupRecord, sender: SenderName): Promise<LogStreamRecord> {
    if (this.index.countOf(group.id) > SENDER_STREAMS_MAX) return this.getStream(group.defaultStream);
    const wanted =
      sender.kind === 'drainToken' ? shortDrainName(sender.text) : cleanName(sender.text, 'stream');
    const taken = this.index.streamNamed(group.id, wanted);
    // It was made by hand, under the name that its sender uses.
    if (taken && sender.kind === 'senderName' && !taken.drainToken && !taken.senderName) {
      const named = { ...taken, senderName: sender.text };
      await this.write([{ key: streamKey(taken.id), value: named }]);
      return named;
    }
    const name = this.freeName(wanted, group.id);
    const createdAt = new Date().toISOString();
    const stream = await this.addStream({
      id: randomUUID() as AppId,
      name,
      group: group.id,
      token: newToken(),
      [sender.kind]: sender.text,
      createdAt,
    });
    return stream ?? this.getStream(group.defaultStream);
  }

  /** Undefined when what it is stored with holds no more: a token is taken. */
  private async addStream(
    stream: Omit<LogStreamRecord, 'number'>,
    more: readonly RecordChange[] = [],
  ): Promise<LogStreamRecord | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const next = await this.records.get<number>('', NUMBER_KEY);
      const number = next?.value ?? 1;
      const record: LogStreamRecord = { ...stream, number };
      const changes = [
        { key: NUMBER_KEY, value: number + 1, ifVersion: next?.version ?? 0 },
        { key: streamKey(record.id), value: record, ifVersion: 0 },
        { key: tokenKey(record.token), value: tokenRecord(record.token, record.id), ifVersion: 0 },
        ...more,
      ];
      if (await this.records.transact('', changes)) {
        this.apply(changes);
        return record;
      }
      for (const { key, ifVersion } of more)
        if (ifVersion === 0 && (await this.records.get('', key))) return undefined;
      if (await this.records.get('', tokenKey(record.token))) return undefined;
    }
    throw new TailraceError('conflict', 'Too many streams are being made at once: try again.');
  }

  private async write(changes: readonly RecordChange[]): Promise<void> {
    await this.records.transact('', changes);
    this.apply(changes);
  }

  /** Takes over what is stored now. */
  private apply(changes: readonly Pick<RecordChange, 'key' | 'value'>[]): void {
    const streams: AppId[] = [];
    for (const { key, value } of changes) {
      if (key.startsWith(GROUP_PREFIX))
        this.index.setGroup(key.slice(GROUP_PREFIX.length), value as GroupRecord | undefined);
      else if (key.startsWith(STREAM_PREFIX)) {
        const id = key.slice(STREAM_PREFIX.length) as AppId;
        this.index.setStream(id, value as LogStreamRecord | undefined);
        streams.push(id);
      }
    }
    for (const listener of this.listeners) listener(streams);
  }

  private freeName(wanted: string, group: string): string {
    for (let i = 1; ; i++) {
      const name = i === 1 ? wanted : `${wanted} (${i})`;
      if (!this.index.streamNamed(group, name)) return name;
    }
  }
}

/** @throws TailraceError `conflict` when the name is that of another than `own` */
function assertFree(
  named: { readonly id: string; readonly name: string } | undefined,
  what: string,
  own?: string,
): void {
  if (named && named.id !== own)
    throw new TailraceError('conflict', `There is a ${what} ${named.name} already: choose another name.`);
}

/** A token for senders: `t.` and a UUID. */
function newToken(): string {
  return `t.${randomUUID()}`;
}

function tokenRecord(token: string, app: AppId): TokenRecord {
  return { token, app, source: WILDCARD_SOURCE, createdAt: new Date().toISOString() };
}

function removalOf({ id, token }: LogStreamRecord): RecordChange[] {
  return [
    { key: `${REMOVED_PREFIX}${id}`, value: true },
    { key: streamKey(id), value: undefined },
    { key: tokenKey(token), value: undefined },
  ];
}

/**
 * Of `d.1234abcd-…`, which is a secret of the sender's, only its beginning.
 */
function shortDrainName(drainToken: string): string {
  const known = /^d\.([\w-]{8})/.exec(drainToken)?.[1];
  return `drain ${known ?? randomBytes(4).toString('hex')}`;
}

/** @throws TailraceError `invalid_params` */
function cleanName(name: string, what: string): string {
  const clean = name.trim();
  if (clean === '' || clean.length > NAME_CHARACTERS_MAX || /\p{C}/u.test(clean))
    throw new TailraceError(
      'invalid_params',
      `The name of a ${what} must have 1 to ${NAME_CHARACTERS_MAX} characters that can be seen.`,
    );
  return clean;
}
