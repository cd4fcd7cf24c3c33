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
    let server = await listen(path);
    if (server === undefined) {
      if (await isListening(path)) return 'taken';
      await rm(path, { force: true });
      server = await listen(path);
    }
    if (server === undefined) return 'taken';
    const owner = server;
    return { release: () => owner.close() };
  } catch {
    // Network file systems have no sockets.
    return 'unsupported';
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
