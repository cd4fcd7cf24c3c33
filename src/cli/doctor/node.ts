/** Node.js: its version, and the flags and limits of the process that runs the server. */
import { readFileSync } from 'node:fs';
import { type CheckResult, resultsOf } from './check-result.ts';

/** As package.json's `engines` has it. */
const NODE_VERSION_MIN = [20, 19] as const;
/** Files, and connections to others, that a server has open beside its senders. */
const RESERVED_FILES = 200;

export interface ServerProcess {
  readonly pid: number;
  /** Connections that it is to take, when that is known. */
  readonly connections?: number;
}

/** The version that runs this command, and so starts servers here. */
export function checkNodeVersion(version: string = process.versions.node): CheckResult {
  const result = resultsOf('node');
  const [major, minor] = version.split('.').map(Number);
  if (major < NODE_VERSION_MIN[0] || (major === NODE_VERSION_MIN[0] && minor < NODE_VERSION_MIN[1]))
    return result(
      'trouble',
      `Node.js ${version} is too old: install ${NODE_VERSION_MIN.join('.')} or newer (https://nodejs.org).`,
    );
  return result('ok', `Node.js ${version}`);
}

/** A server's process, as far as /proc shows it (Linux). */
export function checkServerProcess({ pid, connections }: ServerProcess): CheckResult[] {
  const result = resultsOf('process');
  const results: CheckResult[] = [];
  const args = readProc(pid, 'cmdline')?.split('\0');
  if (args && !args.includes('--single-threaded-gc'))
    results.push(
      result(
        'concern',
        `The server (process ${pid}) runs without node's --single-threaded-gc, and needs about half as much processor time again: start it with bin/tailrace, or with node --single-threaded-gc.`,
      ),
    );
  const files = /^Max open files\s+(\d+)/m.exec(readProc(pid, 'limits') ?? '')?.[1];
  const wanted = connections === undefined ? 0 : connections + RESERVED_FILES;
  if (files !== undefined && Number(files) < wanted)
    results.push(
      result(
        'concern',
        `The server may have ${files} files open, and take ${connections} syslog connections (TAILRACE_CONNECTIONS): raise the limit (ulimit -n, LimitNOFILE= of systemd), or take fewer.`,
      ),
    );
  if (results.length === 0 && args) results.push(result('ok', `process ${pid}, started as it should be`));
  return results;
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined; // another system, or another user's process
  }
}
