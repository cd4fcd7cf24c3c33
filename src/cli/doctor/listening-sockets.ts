/** Which process listens on which port of this machine, as far as Linux shows it (proc(5)). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type Transport = 'tcp' | 'udp';

export interface ListeningSocket {
  readonly transport: Transport;
  readonly port: number;
  /** Of the socket, by which its process is found. */
  readonly inode: string;
}

/** States of a socket: a TCP one that listens, a UDP one that isn't connected. */
const LISTENING_STATES = { tcp: '0A', udp: '07' } as const;

/** All sockets that listen; none where there is no /proc. */
export function listeningSockets(): ListeningSocket[] {
  return (['tcp', 'udp'] as const).flatMap((transport) =>
    [transport, `${transport}6`].flatMap((table) => readSocketTable(table, transport)),
  );
}

function readSocketTable(table: string, transport: Transport): ListeningSocket[] {
  let text: string;
  try {
    text = readFileSync(`/proc/net/${table}`, 'latin1');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTENING_STATES[transport])
    .map((fields) => ({ transport, port: Number.parseInt(fields[1].split(':')[1], 16), inode: fields[9] }));
}

/** The inodes of a process's sockets; none without the permission to see them. */
export function socketInodes(pid: number): Set<string> {
  const inodes = new Set<string>();
  try {
    for (const file of readdirSync(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/fd/${file}`))?.[1];
      if (inode) inodes.add(inode);
    }
  } catch {
    // another user's process
  }
  return inodes;
}

/** `nginx, process 812`: the owner of a port, where it is visible. */
export function describePortOwner(transport: Transport, port: number): string | undefined {
  const wanted = new Set(
    listeningSockets()
      .filter((one) => one.transport === transport && one.port === port)
      .map(({ inode }) => inode),
  );
  if (wanted.size === 0) return undefined;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    for (const inode of socketInodes(Number(pid)))
      if (wanted.has(inode)) return `${processName(pid)}, process ${pid}`;
  return undefined;
}

function processName(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'a program';
  }
}

function readLink(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return ''; // closed meanwhile
  }
}
