/** rsyslog as a relay, in its own process: what the router is compared with. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, removeFolder, start, stop } from './processes.ts';

export interface RsyslogRelay {
  readonly pid: number;
  readonly syslogPort: number;
  stop(): Promise<void>;
}

const PROGRAM = ['/usr/sbin/rsyslogd', '/usr/local/sbin/rsyslogd', '/sbin/rsyslogd'].find(existsSync);

/** "8.2302.0", or undefined when rsyslog isn't installed. */
export function rsyslogVersion(): string | undefined {
  if (!PROGRAM) return undefined;
  return /rsyslogd\s+(\S+)/.exec(execFileSync(PROGRAM, ['-v'], { encoding: 'utf8' }))?.[1];
}

/** Starts rsyslog: syslog TCP in, an in-memory queue, syslog TCP out to `targetPort`. */
export async function startRsyslogRelay(targetPort: number): Promise<RsyslogRelay> {
  if (!PROGRAM) throw new Error('rsyslogd is not installed');
  const folder = makeFolder('rsyslog');
  const syslogPort = await freePort();
  const file = join(folder, 'rsyslog.conf');
  writeFileSync(file, configuration(folder, syslogPort, targetPort));
  const child = start(PROGRAM, ['-n', '-f', file, '-i', join(folder, 'pid')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await waitUntilListening(syslogPort);
  return {
    pid: child.pid!,
    syslogPort,
    async stop() {
      await stop(child);
      removeFolder(folder);
    },
  };
}

/**
 * The fastest of what was tried that keeps the order of lines, as a drain does: imptcp (imtcp did 0.75 of it), batches of
 * 2,048 (1,024 and 8,192 did no better), one worker (two put whole batches out of order), a queue (without one: a quarter).
 * The parser is named, so that others aren't tried; no delay marks, no time-out: a full queue stops the sender and drops
 * nothing.
 */
function configuration(folder: string, port: number, targetPort: number): string {
  return `
global(workDirectory="${folder}" net.enableDNS="off")
module(load="imptcp")
ruleset(
  name="relay" parser="rsyslog.rfc5424"
  queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="2048" queue.workerThreads="1"
  queue.lightDelayMark="0" queue.fullDelayMark="99000" queue.timeoutEnqueue="60000"
) {
  action(
    type="omfwd" target="127.0.0.1" port="${targetPort}" protocol="tcp" tcp_framing="octet-counted"
    template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1"
  )
}
input(type="imptcp" address="127.0.0.1" port="${port}" ruleset="relay")
`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (!address || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

async function waitUntilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const reached = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (reached) return;
    await sleep(50);
  }
  throw new Error('rsyslogd does not listen');
}
