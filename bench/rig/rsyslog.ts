/** rsyslog as a relay, in its own process: what the router is compared with. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
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

/** What is relayed, and how. */
export interface RsyslogForm {
  readonly parser: 'rsyslog.rfc5424' | 'rsyslog.rfc3164';
  /** NUL is what ends lines, besides newlines. */
  readonly nul?: boolean;
  readonly input: 'tcp' | 'tls' | 'udp';
  readonly output: 'tcp' | 'tls';
  /** For TLS: files. */
  readonly key?: string;
  readonly certificate?: string;
}

const PLAIN: RsyslogForm = { parser: 'rsyslog.rfc5424', input: 'tcp', output: 'tcp' };

/** Starts rsyslog: syslog TCP in, an in-memory queue, syslog TCP out to `targetPort`. */
export async function startRsyslogRelay(
  targetPort: number,
  form: RsyslogForm = PLAIN,
): Promise<RsyslogRelay> {
  if (!PROGRAM) throw new Error('rsyslogd is not installed');
  const folder = makeFolder('rsyslog');
  const syslogPort = await freePort();
  const file = join(folder, 'rsyslog.conf');
  writeFileSync(file, configuration(folder, syslogPort, targetPort, form));
  const child = start(PROGRAM, ['-n', '-f', file, '-i', join(folder, 'pid')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await (form.input === 'udp' ? waitUntilBound(syslogPort) : waitUntilListening(syslogPort));
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
 * nothing. TLS is imtcp's.
 */
function configuration(folder: string, port: number, targetPort: number, form: RsyslogForm): string {
  const { parser, nul, input, output, key, certificate } = form;
  const tls = 'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"';
  const outTls = 'StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="anon"';
  const modules = {
    tcp: 'module(load="imptcp")',
    tls: `module(load="imtcp" ${tls})`,
    udp: 'module(load="imudp")',
  };
  const inputs = {
    tcp: `input(type="imptcp" address="127.0.0.1" port="${port}" ruleset="relay"${nul ? ' AddtlFrameDelimiter="0"' : ''})`,
    tls: `input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="relay")`,
    udp: `input(type="imudp" address="127.0.0.1" port="${port}" ruleset="relay")`,
  };
  const files = key
    ? `defaultNetstreamDriverCAFile="${certificate}" defaultNetstreamDriverCertFile="${certificate}" defaultNetstreamDriverKeyFile="${key}"`
    : '';
  return `
global(workDirectory="${folder}" net.enableDNS="off" ${files})
${modules[input]}
ruleset(
  name="relay" parser="${parser}"
  queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="2048" queue.workerThreads="1"
  queue.lightDelayMark="0" queue.fullDelayMark="99000" queue.timeoutEnqueue="60000"
) {
  action(
    type="omfwd" target="127.0.0.1" port="${targetPort}" protocol="tcp" tcp_framing="octet-counted"
    template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1" ${output === 'tls' ? outTls : ''}
  )
}
${inputs[input]}
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

/** Nothing answers over UDP: the system says who is bound. */
async function waitUntilBound(port: number): Promise<void> {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (let attempt = 0; attempt < 100; attempt++) {
    if (readFileSync('/proc/net/udp', 'latin1').includes(address)) return;
    await sleep(50);
  }
  throw new Error('rsyslogd is not bound');
}
