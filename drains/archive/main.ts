/**
 * The archive: a program that receives an HTTPS drain and writes its lines to files. This file composes its parts:
 *
 *     receiver (HTTP) ─► octet-counting ─► drain-header ─► format-frames ─► archive ─► drain-folder (log + journal) ─► rotation ─► compressor
 *
 * A response of 204 promises that the lines are in the file, exactly once, whatever crashes next.
 */

import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { TailraceError } from '../../src/common/errors.ts';
import { makeDirectory } from '../../src/common/files/make-directory.ts';
import { urlHost } from '../../src/common/text/url-host.ts';
import { TLS_SERVER_OPTIONS } from '../../src/common/tls/certificate-files.ts';
import { readArchiveSettings, type Settings } from './config/settings.ts';
import { helpText } from './config/settings-table.ts';
import { Receiver } from './receive/receiver.ts';
import { Archive } from './storage/archive.ts';
import type { Logger } from './storage/compressor.ts';
import { FOLDER_MODE } from './storage/durable-files.ts';
import { lockFolder } from './storage/folder-lock.ts';

/** A request has this long to arrive; it also bounds how long the rest of a rejected body is read and discarded. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than Logplex keeps an idle connection (2.5 minutes): the sender should be the one to close it. */
const KEEP_ALIVE_MS = 180_000;
/** Requests that have not arrived this long after SIGTERM are aborted; they were not acknowledged, so their sender still has them. */
const SHUTDOWN_GRACE_MS = 10_000;

const logger: Logger = {
  info: (sentence) => process.stdout.write(`archive: ${sentence}\n`),
  warn: (sentence) => process.stderr.write(`archive: ${sentence}\n`),
};

async function main(): Promise<void> {
  const settings = readArchiveSettings(process.argv.slice(2), process.env);
  if (settings === undefined) {
    process.stdout.write(helpText());
    return;
  }
  const server = createServer(settings);
  orFail(`Cannot make the folder ${settings.dir}`, () => makeDirectory(settings.dir, FOLDER_MODE));
  const lock = await lockFolder(settings.dir);
  if (lock === 'taken')
    throw new TailraceError('data_folder', `Another archive is already writing to ${settings.dir}.`);
  if (lock === 'unsupported') logger.warn(`cannot lock ${settings.dir}; start only one archive on it`);

  const archive = new Archive(settings, logger);
  await archive.start();
  const receiver = new Receiver(archive, settings);
  server.on('request', (request, response) => {
    receiver.handle(request, response).catch((error: unknown) => {
      logger.warn(`unexpected: ${error instanceof Error ? error.stack : error}`);
      response.destroy();
    });
  });
  server.on('connect', (_request, socket) => refuseTunnel(socket));
  const port = await listen(server, settings);
  if (settings.credentials === undefined && !isLoopback(settings.host)) {
    logger.warn('everybody who reaches this port can write: set ARCHIVE_USER and ARCHIVE_PASSWORD');
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, async () => {
      await closeServer(server);
      await archive.stop();
      if (typeof lock === 'object') lock.release();
      process.exit(0);
    });
  }
  logger.info(
    `listening on ${settings.tls ? 'https' : 'http'}://${urlHost(settings.host)}:${port}, writing to ${settings.dir}`,
  );
}

function createServer(settings: Settings): Server {
  const options = { requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS };
  if (settings.tls === undefined) return createHttpServer(options);
  const { certFile, keyFile } = settings.tls;
  const [cert, key] = [certFile, keyFile].map((file) =>
    orFail(`Cannot read ${file}`, () => readFileSync(file)),
  );
  return orFail(`${certFile} and ${keyFile} are no certificate and key that belong together`, () =>
    createHttpsServer({ ...TLS_SERVER_OPTIONS, ...options, cert, key }),
  );
}

/** Answers a request for a tunnel (CONNECT), which isn't one of those that the receiver gets. */
function refuseTunnel(socket: Duplex): void {
  const sentence = 'This is no proxy: only POST is understood here, and GET /health.\n';
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${sentence.length}\r\nConnection: close\r\n\r\n${sentence}`,
    () => socket.destroy(),
  );
}

function listen(server: Server, { port, host }: Settings): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new TailraceError('address_in_use', `Cannot listen on ${host} port ${port}: ${error.message}.`)),
    );
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** Accepts no new connections; requests in flight are answered. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.closeAllConnections(), SHUTDOWN_GRACE_MS);
    // A keep-alive connection would stay open for minutes after its last response.
    const idle = setInterval(() => server.closeIdleConnections(), 100);
    server.close(() => {
      clearTimeout(deadline);
      clearInterval(idle);
      resolve();
    });
  });
}

function orFail<T>(sentence: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw settingsError(sentence, error);
  }
}

function settingsError(sentence: string, error: unknown): TailraceError {
  return new TailraceError('settings', `${sentence}: ${error instanceof Error ? error.message : error}.`);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

main().catch((error: unknown) => {
  const isExpected = error instanceof TailraceError;
  const text = isExpected ? error.message : error instanceof Error ? error.stack : error;
  process.stderr.write(`archive: ${text}\n`);
  process.exit(1);
});
