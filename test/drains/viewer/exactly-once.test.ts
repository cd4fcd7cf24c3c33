/**
 * Numbered lines through a Tailrace server's drain into the viewer, with `kill -9` of both in between: each is found, and once. With
 * `VIEWER_LINES=10000000` as many as one likes.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { numberedMessages, octetCounted, postLogs } from '../../support/senders/send-lines.ts';
import { dataFolderForTest, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { TailReader } from '../../support/viewer/tail-reader.ts';
import { startViewer, VIEWER_KEY, type Viewer } from '../../support/viewer/viewer.ts';

const LINES = Number(process.env.VIEWER_LINES ?? 60_000);
const LINES_A_REQUEST = 1_000;
/** Requests until the next one is killed: the viewer, the server, the viewer … */
const REQUESTS_A_KILL = Math.floor(LINES / LINES_A_REQUEST / 5);

it('each of many numbered lines is found once', { timeout: 300_000 + LINES / 2 }, async () => {
  const [viewerData, serverData] = [dataFolderForTest(), dataFolderForTest()];
  const port = String(await freePort());
  const openViewer = (): Promise<Viewer> =>
    startViewer({ data: viewerData, env: { VIEWER_HTTP_PORT: port, VIEWER_STREAM_BYTES: '1MB' } });
  const openServer = (): Promise<Server> =>
    startServer({
      data: serverData,
      env: { TAILRACE_STREAM_BYTES: '2GB', TAILRACE_STREAM_LINES: '50000000' },
    });
  let viewer = await openViewer();
  let server = await openServer();
  onTestFinished(async () => {
    await Promise.all([viewer.kill(), server.kill()]);
  });
  const group = await viewer.createGroup('proof');
  const app = await server.createApp();
  const url = new URL(`${viewer.url}/logs`);
  url.username = 'token';
  url.password = group.token;
  await server.createDrain(app, url.href);

  let kills = 0;
  for (let request = 0; request * LINES_A_REQUEST < LINES; request++) {
    const lines = numberedMessages(LINES_A_REQUEST, 'n', request * LINES_A_REQUEST).map((text) =>
      octetCounted(`<190>1 - host ${app.token} web.1 - - ${text}`),
    );
    if (request % REQUESTS_A_KILL === REQUESTS_A_KILL - 1) {
      // Not the server twice in a row: it makes its peace with the drain first.
      if (kills++ % 2 === 0) {
        await viewer.kill();
        viewer = await openViewer();
      } else {
        await server.kill();
        server = await openServer();
      }
    }
    const { status, text } = await postLogs(server, app.token, Buffer.concat(lines), {
      'logplex-frame-id': `proof ${request}`,
    });
    if (status !== 204) throw new Error(`${status} ${text}`);
  }
  const [{ id }] = await until(
    'the stream',
    async () => (await viewer.groups()).find((one) => one.id === group.id)?.streams,
  );
  const arrived = async (): Promise<number> => {
    const counts = await viewer.request<{ buckets: { error: number; warning: number; other: number }[] }>(
      'GET',
      `/api/counts?stream=${id}&from=2d&q=dyno:web.1`,
    );
    return counts.buckets.reduce((sum, { error, warning, other }) => sum + error + warning + other, 0);
  };
  await until('all lines', async () => (await arrived()) >= LINES, 180_000 + LINES / 5);
  await viewer.kill();
  viewer = await openViewer();
  expect(await arrived()).toBe(LINES);

  const seen = new Uint8Array(LINES);
  const download = await fetch(`${viewer.url}/api/download?stream=${id}&format=ndjson`, {
    headers: { authorization: `Bearer ${VIEWER_KEY}` },
  });
  for await (const row of createInterface({ input: Readable.fromWeb(download.body as never) }))
    seen[Number(/"message":"n (\d+)"/.exec(row)?.[1])]++;
  expect(seen.indexOf(0)).toBe(-1);
  expect(seen.findIndex((times) => times > 1)).toBe(-1);
  const segments = join(viewerData, 'streams', id);
  const streamBytes = readdirSync(segments).reduce(
    (sum, name) => sum + statSync(join(segments, name)).size,
    0,
  );
  // The first of them aren't in the stream any more (a line takes 78 bytes there; how much is left depends on what was in a part when
  // it was killed): a tail that was away for long gets them all the same, in their order.
  expect(streamBytes).toBeLessThan(LINES * 71);
  const tail = new TailReader(viewer, `stream=${id}&q=dyno:web.1`, '0.0');
  let tailed = 0;
  const outOfOrder: string[] = [];
  tail.onLine = ({ message }) => {
    if (message !== `n ${tailed++}` && outOfOrder.length < 10) outOfOrder.push(message);
  };
  await tail.connect();
  await until('the tail', () => tailed >= LINES, 120_000 + LINES / 5);
  expect(outOfOrder).toEqual([]);
  await tail.close();
  // Page by page: of many lines on a busy machine a search ends before it has looked at all of them.
  for (const number of [0, LINES >> 1, LINES - 1]) {
    const found = await viewer.messages(`q="n ${number}"&stream=${id}`);
    expect(found.filter((message) => message === `n ${number}`)).toHaveLength(1);
  }
});
