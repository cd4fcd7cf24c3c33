import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** States of proc_net_tcp: listening, and of UDP: bound. */
const TABLES = [
  ['tcp', '0A'],
  ['tcp6', '0A'],
  ['udp', '07'],
  ['udp6', '07'],
] as const;

/** The ports that a process listens on, TCP and UDP. */
export function boundPorts(pid: number): number[] {
  const sockets = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      sockets.add(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? '');
    } catch {
      // It was closed meanwhile.
    }
  }
  return TABLES.flatMap(([table, state]) =>
    readFileSync(`/proc/net/${table}`, 'latin1')
      .split('\n')
      .map((row) => row.trim().split(/\s+/))
      .filter((columns) => columns[3] === state && sockets.has(columns[9]))
      .map((columns) => Number.parseInt(columns[1].split(':')[1], 16)),
  );
}
