/** Reads `REDIS_URL`: one server, several Sentinels and a master's name, or some nodes of a Cluster. */
import { readFileSync } from 'node:fs';
import { TailraceError } from '../../../../common/errors.ts';

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** The server, the Sentinels, or nodes of the Cluster. */
  readonly nodes: readonly RedisNode[];
  /** The name of the master that the Sentinels watch. */
  readonly master?: string;
  readonly username?: string;
  readonly password?: string;
  readonly database: number;
  readonly tls: boolean;
  /** For printing: without the password. */
  readonly text: string;
}

const URL_PATTERN =
  /^(?<scheme>rediss?)(?:\+(?<kind>cluster|sentinel))?:\/\/(?:(?<user>.*)@)?(?<hosts>[^@/?]+)(?:\/(?<path>[^?]*))?(?:\?.*)?$/;
const URL_FORMS =
  'redis://host:port, rediss://user:password@host:port, redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/master';

/** @throws TailraceError `settings` when the URL can't be read. */
export function parseRedisUrl(url: string): RedisAddress {
  const groups = URL_PATTERN.exec(url)?.groups;
  if (!groups) throw urlError('it is no Redis URL');
  const kind = (groups.kind ?? 'single') as RedisAddress['kind'];
  const nodes = groups.hosts.split(',').map((text) => parseNode(text, kind === 'sentinel' ? 26_379 : 6_379));
  if (kind === 'single' && nodes.length > 1)
    throw urlError('it names several hosts: is it a redis+cluster:// or a redis+sentinel://?');
  const path = decode(groups.path ?? '').split('/');
  const master = kind === 'sentinel' ? path.shift() : undefined;
  if (kind === 'sentinel' && !master) throw urlError("it names no master: end it with /<the master's name>");
  const database = path[0] ? Number(path[0]) : 0;
  if (!Number.isInteger(database) || database < 0) throw urlError(`"${path[0]}" is no number of a database`);
  if (kind === 'cluster' && database > 0) throw urlError('a Cluster has only database 0');
  const [user, ...rest] = (groups.user ?? '').split(':');
  const name = `redis${groups.scheme === 'rediss' ? 's' : ''}${kind === 'single' ? '' : `+${kind}`}`;
  return {
    kind,
    nodes,
    master,
    username: decode(user) || undefined,
    password: rest.length > 0 ? decode(rest.join(':')) : undefined,
    database,
    tls: groups.scheme === 'rediss',
    text: `${name}://${groups.hosts}${master ? `/${master}` : ''}`,
  };
}

/** The CA's certificate, from a file. */
export function readCaCertificate(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new TailraceError('settings', `REDIS_CA is "${file}", which can't be read: name a PEM file.`, {
      cause: error,
    });
  }
}

function parseNode(text: string, defaultPort: number): RedisNode {
  const match = /^(?:\[(?<v6>[0-9a-fA-F:]+)\]|(?<name>[^:]+))(?::(?<port>\d{1,5}))?$/.exec(text.trim());
  const host = match?.groups?.v6 ?? match?.groups?.name;
  const port = match?.groups?.port ? Number(match.groups.port) : defaultPort;
  if (!host || port < 1 || port > 65_535) throw urlError(`"${text}" is no host:port`);
  return { host, port };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a password with a stray percent sign
  }
}

function urlError(why: string): TailraceError {
  return new TailraceError('settings', `REDIS_URL can't be used: ${why}. Write ${URL_FORMS}.`);
}
