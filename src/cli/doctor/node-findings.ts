/** Node.js: its version, and the flags and limits of the process that runs the server. */
import { readFileSync } from 'node:fs';
import { about, type Finding } from './finding.ts';

/** As package.json's `engines` has it. */
const OLDEST = [20, 19] as const;
/** Files, and connections to others, that a server has open beside its senders. */
const OTHER_FILES = 200;

export interface NodeProcess {
  readonly pid: number;
  /** Connections that it is to take, when that is known. */
  readonly connections?: number;
}

/** The version that runs this command, and so starts servers here. */
export function nodeVersion(version: string = process.versions.node): Finding {
  const finding = about('node');
  const [major, minor] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    return finding(
      'trouble',
      `Node.js ${version} is too old: install ${OLDEST.join('.')} or newer (https://nodejs.org).`,
    );
  return finding('ok', `Node.js ${version}`);
}

/** A server's process, as far as this machine tells (Linux). */
export function serverProcess({ pid, connections }: NodeProcess): Finding[] {
  const finding = about('process');
  const findings: Finding[] = [];
  const args = readProc(pid, 'cmdline')?.split('\0');
  if (args && !args.includes('--single-threaded-gc'))
    findings.push(
      finding(
        'concern',
        `The server (process ${pid}) runs without node's --single-threaded-gc, and needs about half as much processor time again: start it with bin/tailrace, or with node --single-threaded-gc.`,
      ),
    );
  const files = /^Max open files\s+(\d+)/m.exec(readProc(pid, 'limits') ?? '')?.[1];
  const wanted = connections === undefined ? 0 : connections + OTHER_FILES;
  if (files !== undefined && Number(files) < wanted)
    findings.push(
      finding(
        'concern',
        `The server may have ${files} files open, and take ${connections} syslog connections (TAILRACE_CONNECTIONS): raise the limit (ulimit -n, LimitNOFILE= of systemd), or take fewer.`,
      ),
    );
  if (findings.length === 0 && args) findings.push(finding('ok', `process ${pid}, started as it should be`));
  return findings;
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined; // another system, or another user's process
  }
}
