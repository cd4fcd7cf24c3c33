/** Temporary files in memory: tests make and remove hundreds of thousands of small ones, and a disk would be made to hold each of them. */
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';
/** More than tests have at a time. */
const NEEDED_BYTES = 6 * 1024 ** 3;

/** A new folder for `TMPDIR`, in memory where there is enough. It is gone when this process ends. */
export function createTemporaryFolder(): string {
  const parent = process.env.TMPDIR === undefined && hasMemory() ? SHARED_MEMORY : tmpdir();
  const folder = mkdtempSync(join(parent, 'tailrace-tests-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
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
