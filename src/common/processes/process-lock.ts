/** A file that names the process which works with a folder. */
import { createHash } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode, TailraceError } from '../errors.ts';
import { readBootId } from './boot-id.ts';
import { isProcessRunning, ownStartTicks } from './process-identity.ts';

/** Its pid, when it started, and in which boot of the machine. Earlier versions wrote no boot, and `tailrace ship` no end of the line. */
const CONTENT = /^(\d{1,10}) (\d*)(?: ([0-9a-f-]*))?\n?$/;
const ATTEMPTS = 3;

export interface LockHolder {
  readonly holderPid: number;
}

/**
 * Makes the lock file for this process. One that names a process that has ended, or that a power cut has torn, is replaced, of several that find it at
 * the same moment by one.
 * @returns the function that removes it, or who holds it
 * @throws the system's error when it can't be written; TailraceError `data_folder` when it comes back each time that it is removed
 */
export function acquireProcessLock(file: string): (() => void) | LockHolder {
  const mine = `${process.pid} ${ownStartTicks()} ${readBootId()}\n`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(file, mine))
      return () => {
        if (readLock(file) === mine) rmSync(file, { force: true });
      };
    const content = readLock(file);
    // Its holder has just let go of it.
    if (content === undefined) continue;
    const holderPid = holderOf(content);
    if (holderPid !== undefined) return { holderPid };
    // Whoever finds the same stale lock wants to remove it too, and would remove the one that comes into its place.
    const removing = acquireProcessLock(`${file}.${nameFor(content)}`);
    if (typeof removing !== 'function') return removing;
    if (readLock(file) === content) rmSync(file, { force: true });
    removing();
  }
  throw new TailraceError(
    'data_folder',
    `The folder ${dirname(file)} can't be locked: remove ${file} and try again.`,
  );
}

/** The running process that a lock file names, if there is one. */
export function lockHolder(file: string): number | undefined {
  return holderOf(readLock(file));
}

/** Short, and another one for each content. */
function nameFor(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 12);
}

function holderOf(content = ''): number | undefined {
  const [, pid, startTicks, boot] = CONTENT.exec(content) ?? [];
  if (pid === undefined) return undefined;
  // Where processes have a time of start, one that isn't there was torn off.
  if (startTicks === '' && ownStartTicks() !== '') return undefined;
  // A machine that starts in the same way each time gives the same numbers again.
  if (boot !== undefined && boot !== readBootId()) return undefined;
  return isProcessRunning(Number(pid), startTicks) ? Number(pid) : undefined;
}

/** With its content, or not at all: one that is still empty would look like a torn one to another process. */
function create(file: string, content: string): boolean {
  const temporary = `${file}.${process.pid}`;
  try {
    writeFileSync(temporary, content, { mode: 0o600 });
    linkSync(temporary, file);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return false;
    // Some file systems have no hard links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error;
    return createDirectly(file, content);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function createDirectly(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined when there is none. */
function readLock(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    return systemCode(error) === 'ENOENT' ? undefined : '';
  }
}
