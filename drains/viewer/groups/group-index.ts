/** Groups and streams in memory, found by what requests ask for. Changes cost as much as what is changed. */
import type { AppId } from '../../../src/logs/store/contract.ts';
import type { GroupRecord, LogStreamRecord } from './group-records.ts';

/** What tells apart senders that share a group's token. */
export interface SenderName {
  readonly kind: 'drainToken' | 'senderName';
  readonly text: string;
}

const SENDER_KINDS = ['drainToken', 'senderName'] as const;

interface Members {
  readonly byId: Map<AppId, LogStreamRecord>;
  /** By their names in small letters. */
  readonly byName: Map<string, LogStreamRecord>;
  /** By name; undefined until it is asked for. */
  sorted: readonly LogStreamRecord[] | undefined;
}

/** Names are found in any case. It holds what it is given: whether names are unique is for {@link Groups} to see to. */
export class GroupIndex {
  private readonly groups = new Map<string, GroupRecord>();
  private readonly streams = new Map<AppId, LogStreamRecord>();
  private readonly members = new Map<string, Members>();
  private readonly groupByToken = new Map<string, GroupRecord>();
  private readonly streamBySender = new Map<string, LogStreamRecord>();
  private sortedGroups: readonly GroupRecord[] | undefined;

  /** @param group undefined: it is removed */
  setGroup(id: string, group: GroupRecord | undefined): void {
    const old = this.groups.get(id);
    if (old) this.groupByToken.delete(old.token);
    if (group) {
      this.groups.set(id, group);
      this.groupByToken.set(group.token, group);
    } else this.groups.delete(id);
    this.sortedGroups = undefined;
  }

  /** @param stream undefined: it is removed */
  setStream(id: AppId, stream: LogStreamRecord | undefined): void {
    const old = this.streams.get(id);
    if (old) this.removeFrom(old);
    if (!stream) {
      this.streams.delete(id);
      return;
    }
    this.streams.set(id, stream);
    const members = this.membersOf(stream.group);
    members.byId.set(id, stream);
    members.byName.set(stream.name.toLowerCase(), stream);
    members.sorted = undefined;
    for (const key of senderKeys(stream)) this.streamBySender.set(key, stream);
  }

  /** All groups, by name. */
  get list(): readonly GroupRecord[] {
    this.sortedGroups ??= [...this.groups.values()].sort(byName);
    return this.sortedGroups;
  }

  /** The streams of a group, by name. */
  streamsOf(group: string): readonly LogStreamRecord[] {
    const members = this.members.get(group);
    if (!members) return [];
    members.sorted ??= [...members.byId.values()].sort(byName);
    return members.sorted;
  }

  /** How many streams a group has. */
  countOf(group: string): number {
    return this.members.get(group)?.byId.size ?? 0;
  }

  group(id: string): GroupRecord | undefined {
    return this.groups.get(id);
  }

  /** In any case; undefined when there is none. */
  groupNamed(name: string): GroupRecord | undefined {
    const wanted = name.toLowerCase();
    return this.list.find((group) => group.name.toLowerCase() === wanted);
  }

  stream(id: AppId): LogStreamRecord | undefined {
    return this.streams.get(id);
  }

  /** By a group's id and a name in any case; undefined when there is none. */
  streamNamed(group: string, name: string): LogStreamRecord | undefined {
    return this.members.get(group)?.byName.get(name.toLowerCase());
  }

  withToken(token: string): GroupRecord | undefined {
    return this.groupByToken.get(token);
  }

  /** The stream that a sender with the group's token has; undefined before its first request. */
  ofSender(group: string, sender: SenderName): LogStreamRecord | undefined {
    return this.streamBySender.get(senderKey(group, sender));
  }

  private membersOf(group: string): Members {
    let members = this.members.get(group);
    if (!members) {
      members = { byId: new Map(), byName: new Map(), sorted: undefined };
      this.members.set(group, members);
    }
    return members;
  }

  private removeFrom(old: LogStreamRecord): void {
    const members = this.members.get(old.group);
    const name = old.name.toLowerCase();
    members?.byId.delete(old.id);
    // Another one may have taken it.
    if (members?.byName.get(name)?.id === old.id) members.byName.delete(name);
    if (members) members.sorted = undefined;
    if (members?.byId.size === 0) this.members.delete(old.group);
    for (const key of senderKeys(old))
      if (this.streamBySender.get(key)?.id === old.id) this.streamBySender.delete(key);
  }
}

/** Names one of the senders that share a group's token. */
export function senderKey(group: string, { kind, text }: SenderName): string {
  return `${group} ${kind} ${text}`;
}

function senderKeys(stream: LogStreamRecord): string[] {
  return SENDER_KINDS.flatMap((kind) => {
    const text = stream[kind];
    return text === undefined ? [] : [senderKey(stream.group, { kind, text })];
  });
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  const [one, other] = [a.name.toLowerCase(), b.name.toLowerCase()];
  return one < other ? -1 : one > other ? 1 : 0;
}
