import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Program } from '../../support/program.ts';
import { type ReceivedRequest, startHttpReceiver } from '../../support/receivers/receivers.ts';
import { withoutDuplicates } from '../../support/senders/frames.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  startServerForTest,
  temporaryFolder,
} from '../../support/server.ts';
import { until } from '../../support/until.ts';

async function pushMany(to: Server, app: App, count: number, from = 0): Promise<void> {
  for (let i = from; i < from + count; i += 100)
    await pushLines(to, app.token, numberedMessages(100, 'line', i));
}

describe('a router that is killed (-9) while it delivers', () => {
  it('and started again: at least once, in order, and a duplicate is the same request', async () => {
    const data = dataFolderForTest();
    let server = await startServerForTest({ data });
    const app = await server.createApp();
    let kill: (() => void) | undefined;
    const receiver = await startHttpReceiver(async (attempt) => {
      // Every third request is the last one of its router: it has arrived, and nobody will hear of it.
      if (attempt % 3 === 2) kill?.();
      return attempt % 5 === 4 ? 500 : 200;
    });
    await server.createDrain(app, receiver.url);
    for (let round = 0; round < 4; round++) {
      const killed = new Promise<void>((resolve) => {
        kill = () => resolve(server.kill());
      });
      const pushing = pushMany(server, app, 100, round * 100).catch(() => {});
      for (let extra = 0; !server.program.hasExited && extra < 50; extra++) {
        const deliveries = receiver.requests.length;
        await pushLines(server, app.token, [`extra ${round} ${extra}`]).catch(() => {});
        await until('a delivery', () => receiver.requests.length > deliveries || server.program.hasExited);
      }
      await pushing;
      await killed;
      kill = undefined;
      server = await startServerForTest({ data });
    }
    const stored = await server.readMessages(app);
    await until('everything', () => new Set(receiver.acceptedMessages()).size >= stored.length);
    expect(withoutDuplicates(receiver.acceptedMessages())).toEqual(stored);
    expectSameNames(receiver.requests);
  });
});

/** A name stands for the same bytes, always. */
function expectSameNames(deliveries: readonly ReceivedRequest[]): void {
  const bodies = new Map<string, string>();
  for (const { frameId, body } of deliveries) {
    expect(bodies.get(frameId) ?? body).toBe(body);
    bodies.set(frameId, body);
  }
  expect(bodies.size).toBeLessThan(deliveries.length);
}

const ARCHIVE = join(import.meta.dirname, '..', '..', '..', 'dist', 'drains', 'archive', 'main.js');

/** All lines of the only drain that an archive has, oldest first. */
function archived(folder: string): string[] {
  const drain = readdirSync(folder).find((name) => name.startsWith('d.'));
  if (!drain) return [];
  const names = readdirSync(join(folder, drain)).filter((name) => name.includes('.log'));
  const files = names.sort().map((name) => {
    const bytes = readFileSync(join(folder, drain, name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  });
  return files
    .join('')
    .split('\n')
    .slice(0, -1)
    .map((text) => text.slice(text.indexOf(']: ') + 3));
}

describe('the archive in drains/ as the destination', () => {
  it('killed and started again, as the router is: every line is in its files, in order', async () => {
    const data = dataFolderForTest();
    const folder = temporaryFolder();
    const archive = async (port: string): Promise<{ program: Program; url: string; port: string }> => {
      const program = new Program(process.execPath, [ARCHIVE, '--port', port, '--dir', folder]);
      onTestFinished(() => void program.stop('SIGKILL'));
      const [, url, bound] = await program.waitForOutput(/listening on (http:\/\/[^:]+:(\d+))/);
      return { program, url, port: bound };
    };
    let receiver = await archive('0');
    let server = await startServerForTest({ data });
    const app = await server.createApp();
    await server.createDrain(app, `${receiver.url}/logs`);
    let count = 0;
    for (const victim of ['archive', 'router', 'archive', 'router'] as const) {
      await pushMany(server, app, 500, count);
      count += 500;
      await until('some more lines', () => archived(folder).length > count - 500);
      if (victim === 'archive') {
        await receiver.program.stop('SIGKILL');
        await pushMany(server, app, 500, count);
        count += 500;
        receiver = await archive(receiver.port);
      } else {
        await server.kill();
        server = await startServerForTest({ data });
      }
    }
    await until('all lines', () => new Set(archived(folder)).size >= count);
    expect(withoutDuplicates(archived(folder))).toEqual(numberedMessages(count));
  });
});
