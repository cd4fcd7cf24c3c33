import { readFileSync } from 'node:fs';

/**
 * Datagrams that the system dropped because the socket's receive buffer was full, since the socket is open: Linux counts them in
 * `/proc/net/udp` (proc_net_udp: last column). Undefined where there is no such file.
 */
export function countUdpDrops(
  ports: readonly number[],
  read: (path: string) => string = readText,
): number | undefined {
  const wanted = new Set(ports);
  let drops: number | undefined;
  for (const path of ['/proc/net/udp', '/proc/net/udp6']) {
    let text: string;
    try {
      text = read(path);
    } catch {
      continue;
    }
    drops ??= 0;
    for (const row of text.split('\n').slice(1)) {
      const columns = row.trim().split(/\s+/);
      const port = Number.parseInt(columns[1]?.split(':')[1] ?? '', 16);
      if (wanted.has(port)) drops += Number(columns.at(-1)) || 0;
    }
  }
  return drops;
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
