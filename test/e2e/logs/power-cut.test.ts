/** Readers who come back behind a power cut that took lines which they had: a data folder is put back to what it was, and has seen another start of the machine. */
import { cpSync, rmSync } from 'node:fs';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { TailClient } from '../../support/receivers/tail-client.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

interface JsonLine {
  readonly position: string;
  readonly message: string;
}

const NEW = numberedMessages(6, 'new');
let server: Server;
let app: App;
/** Where readers were who had five lines that are there, and three that are gone. */
let atEnd: string;
let behindEnd: string;

async function linesOf(query: string): Promise<JsonLine[]> {
  return (await server.readLines(app, `format=json&${query}`)).map((line) => JSON.parse(line) as JsonLine);
}

const messagesOf = (lines: readonly JsonLine[]): string[] => lines.map(({ message }) => message);

beforeAll(async () => {
  const [data, synced] = [temporaryFolder(), temporaryFolder()];
  server = await startServer({ data });
  app = await server.createApp();
  await pushLines(server, app.token, numberedMessages(5, 'old'));
  await server.close();
  cpSync(data, synced, { recursive: true });
  server = await startServer({ data });
  await pushLines(server, app.token, numberedMessages(3, 'gone'));
  const positions = (await linesOf('lines=100')).map(({ position }) => position);
  // A restart changes nothing.
  expect(positions).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
  [atEnd, behindEnd] = [positions[4], positions[7]];
  await server.kill();
  rmSync(data, { recursive: true });
  cpSync(synced, data, { recursive: true });
  const store = new EmbeddedStore({
    folder: data,
    retention: { lines: 1e9, bytes: 1e9, ageMs: 1e13 },
    durability: 'process',
    time: { wall: Date.now, monotonic: () => 0, uptime: () => 0, bootId: 'the one before' },
  });
  await store.endsNoted();
  await store.close();
  server = await startServer({ data });
  return async () => {
    await server.close();
    for (const folder of [data, synced]) rmSync(folder, { recursive: true, force: true });
  };
});

describe('behind a power cut', () => {
  it('a tail gets all lines that came since, and is told of those that are gone, once', async () => {
    const waiting = await new TailClient(server, app, { after: behindEnd }).opened();
    const [notice] = await waiting.waitForLines(1);
    expect(notice).toMatch(/^Position 8 is of lines that are lost: a power cut left the stream up to 5\./);
    const told = waiting.position;
    expect(Number(told)).toBeGreaterThan(Number(behindEnd));
    await pushLines(server, app.token, NEW);
    await waiting.waitForLines(1 + NEW.length);
    expect(waiting.messages().slice(1)).toEqual(NEW);
    waiting.disconnect();
    for (const after of [behindEnd, atEnd, told, waiting.position]) {
      const reader = await new TailClient(server, app, { after, tail: false }).opened();
      await until('its end', () => reader.closeCode);
      const wanted = after === waiting.position ? [] : NEW;
      expect(reader.messages().filter((message) => !message.startsWith('Position'))).toEqual(wanted);
      expect(reader.messages().length - wanted.length).toBe(after === behindEnd ? 1 : 0);
    }
  });

  it('so do server-sent events, by the id of the last one, and plain text', async () => {
    for (const id of [behindEnd, atEnd]) {
      const response = await fetch(`${server.url}/apps/${app.name}/logs`, {
        headers: {
          authorization: `Bearer ${server.key}`,
          accept: 'text/event-stream',
          'last-event-id': id,
        },
      });
      const events = await response.text();
      const ids = [...events.matchAll(/^id: (\d+)$/gm)].map(([, position]) => Number(position));
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      expect(ids[0]).toBeGreaterThanOrEqual(Number(id));
      for (const message of NEW) expect(events).toContain(`: ${message}\n`);
      expect(events).not.toContain(': old');
      expect(await server.readMessages(app, `after=${id}`)).toEqual(expect.arrayContaining(NEW));
    }
  });

  it('lines have positions that grow and are their own, forwards, backwards, in searches and in counts', async () => {
    const all = await linesOf('after=0');
    expect(messagesOf(all)).toEqual([...numberedMessages(5, 'old'), ...NEW]);
    const positions = all.map(({ position }) => Number(position));
    expect(positions.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    expect(Math.min(...positions.slice(5))).toBeGreaterThan(Number(behindEnd));
    for (const [i, { position }] of all.entries()) {
      expect(await linesOf(`after=${position}&first=2`)).toEqual(all.slice(i + 1, i + 3));
      expect(await linesOf(`before=${position}&lines=3`)).toEqual(all.slice(Math.max(0, i - 3), i));
    }
    expect(await linesOf('q=new&lines=2')).toEqual(all.slice(-2));
    expect(await linesOf(`q=line OR new OR old&before=${behindEnd}&lines=2`)).toEqual(all.slice(3, 5));
    const last = all.at(-1)!.position;
    const counts = (before: string) =>
      server.request<{ position: string; around: string | null; others: number[] }>(
        'GET',
        `/apps/${app.name}/log-counts?around=${last}&range=1h&before=${before}`,
      );
    const sum = ({ others }: { others: number[] }): number => others.reduce((a, b) => a + b, 0);
    const counted = await counts(last);
    expect(counted).toMatchObject({ position: last, around: expect.any(String) });
    expect(sum(counted)).toBe(10);
    // All that there was then, of which the last three are gone.
    expect(sum(await counts(String(Number(behindEnd) + 1)))).toBe(5);
  });

  it('a position from the future is told, and goes on behind the newest line', async () => {
    const reader = await new TailClient(server, app, { after: '90000000000000' }).opened();
    onTestFinished(() => reader.disconnect());
    const [notice] = await reader.waitForLines(1);
    const newest = (await linesOf('lines=1'))[0].position;
    expect(notice).toContain(`isn't of this stream, which ends with ${newest}`);
    expect(reader.position).toBe(newest);
  });
});
