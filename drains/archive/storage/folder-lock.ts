/**
 * One archive per folder: two would overwrite each other's lines. The lock is a listening Unix socket, because the kernel
 * closes it however its owner dies; a PID file would survive a kill -9.
 */

import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../../../src/common/errors.ts';
import { acquireProcessLock } from '../../../src/common/processes/process-lock.ts';

/** macOS allows 103 bytes for a socket's path, Linux 107. */
const SOCKET_PATH_MAX = 100;

export type FolderLock = { release: () => void } | 'taken' | 'unsupported';

export async function lockFolder(dir: string): Promise<FolderLock> {
  if (process.platform === 'win32') return 'unsupported';
  const inside = join(dir, '.lock');
  const digest = createHash('sha256').update(dir).digest('hex').slice(0, 16);
  const isShort = Buffer.byteLength(inside) <= SOCKET_PATH_MAX;
  const path = isShort ? inside : join(tmpdir(), `tailrace-archive-${digest}.lock`);
  try {
    const owner = (await listen(path)) ?? (await replaceStale(path));
    if (owner === undefined) return 'taken';
    return { release: () => owner.close() };
  } catch {
    // Network file systems have no sockets.
    return 'unsupported';
  }
}

/** In the place of a socket whose owner was killed; `undefined` when somebody has it. Of several who find the same one, one removes it: the next would remove the other's. */
async function replaceStale(path: string): Promise<Server | undefined> {
  const removing = acquireProcessLock(`${path}.stale`);
  if (typeof removing !== 'function') return undefined;
  try {
    if (await isListening(path)) return undefined;
    await rm(path, { force: true });
    return await listen(path);
  } finally {
    removing();
  }
}

/** `undefined` when something has that path already. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error) => (systemCode(error) === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(path, () => resolve(server.unref()));
  });
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error) =>
      resolve(systemCode(error) !== 'ECONNREFUSED' && systemCode(error) !== 'ENOENT'),
    );
  });
}
