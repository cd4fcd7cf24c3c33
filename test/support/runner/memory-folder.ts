/** Temporary files in memory: tests make and remove hundreds of thousands of small ones, and a disk would be made to hold each of them. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';
const PREFIX = 'tailrace-tests-';
/** More than tests have at a time. */
const NEEDED_BYTES = 6 * 1024 ** 3;

/** This process's folder for `TMPDIR`, in memory where there is enough. It is gone when the process ends. */
export function createTemporaryFolder(): string {
  const { TMPDIR } = process.env;
  const own = `${PREFIX}${pidNamespace()}-${process.pid}-`;
  // The configuration is read once for each project.
  if (TMPDIR !== undefined && basename(TMPDIR).startsWith(own)) return TMPDIR;
  const parent = TMPDIR === undefined && hasMemory() ? SHARED_MEMORY : tmpdir();
  removeStale(parent);
  const folder = mkdtempSync(join(parent, own));
  // Servers that don't run as root have folders in it.
  chmodSync(folder, 0o711);
  process.env.TMPDIR = folder;
  process.once('exit', () => remove(folder));
  return folder;
}

/** Those of processes that were killed. Of another namespace nobody can say here what runs in it. */
function removeStale(parent: string): void {
  const visible = `${PREFIX}${pidNamespace()}-`;
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(visible) ? /^\d+(?=-)/.exec(name.slice(visible.length))?.[0] : undefined;
    if (pid === undefined || isRunning(Number(pid))) continue;
    remove(join(parent, name));
  }
}

/** In which process ids mean what they mean here; 0 where there is one for all. */
function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  } catch {
    return '0';
  }
}

function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // Something still writes there: the next run removes it.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function hasMemory(): boolean {
  try {
    // Device, folder, kind, options.
    const mount = /^\S+ \/dev\/shm tmpfs (\S+)/m.exec(readFileSync('/proc/mounts', 'utf8'));
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    const isUsable = mount !== null && !/\bnoexec\b|\bro\b/.test(mount[1]);
    return isUsable && Math.min(bavail * bsize, availableMemory()) >= NEEDED_BYTES;
  } catch {
    return false; // not Linux
  }
}

/** Files that the system has read count as free. */
function availableMemory(): number {
  const kilobytes = /^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return kilobytes ? Number(kilobytes[1]) * 1024 : freemem();
}
