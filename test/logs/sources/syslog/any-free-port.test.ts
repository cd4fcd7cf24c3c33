/** Port 0 is any port that is free for TCP and for UDP: tried where few are, in a network of its own. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { missing, Program, TAILRACE } from '../../../support/program.ts';
import { temporaryFolder } from '../../../support/server.ts';

const OWN_NETWORK = ['-np', '--fork', '--kill-child'];
const cannot = missing('unshare', 'ip') || spawnSync('unshare', [...OWN_NETWORK, 'true']).status !== 0;

/** Somebody has ten of twelve ports for UDP; then a server starts. */
const SOMEBODY = `
  const { createSocket } = require('node:dgram');
  const ports = [0, 1, 2, 4, 5, 6, 8, 9, 10, 11].map((n) => 40000 + n);
  const bound = ports.map((port) => new Promise((resolve) => createSocket('udp4').bind(port, '127.0.0.1', resolve)));
  Promise.all(bound).then(() =>
    require('node:child_process').spawn(process.execPath, [process.argv[1], 'serve'], { stdio: 'inherit' }));
`;

it.skipIf(cannot)('a port that TCP finds and UDP doesn’t get is given back for another one', async () => {
  const data = temporaryFolder();
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  const few =
    'ip link set lo up && echo "40000 40011" > /proc/sys/net/ipv4/ip_local_port_range && exec "$0" -e "$1" "$2"';
  const program = new Program(
    'unshare',
    [...OWN_NETWORK, 'sh', '-c', few, process.execPath, SOMEBODY, TAILRACE],
    {
      env: {
        TAILRACE_DATA: data,
        TAILRACE_HTTP_PORT: '0',
        TAILRACE_SYSLOG_PORT: '0',
        TAILRACE_ROUTER_PORT: '0',
      },
    },
  );
  onTestFinished(async () => void (await program.stop('SIGKILL')));
  const [, port] = await program.waitForOutput(/syslog on 127\.0\.0\.1:(\d+) \(TCP, UDP\)/);
  expect(['40003', '40007']).toContain(port);
});
