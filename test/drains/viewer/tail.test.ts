/** History and what comes are one list: searches, their older pages and the tail behind them give every line, and each once. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { numberedMessages, octetCounted, postLogs, pushLines } from '../../support/senders/send-lines.ts';
import { until } from '../../support/until.ts';
import { TailReader } from '../../support/viewer/tail-reader.ts';
import { startViewer, VIEWER_KEY, type Viewer, type ViewerLine } from '../../support/viewer/viewer.ts';

let viewer: Viewer;
let count = 0;
beforeAll(async () => {
  viewer = await startViewer();
});
afterAll(async () => {
  await viewer?.kill();
  rmSync(viewer.data, { recursive: true, force: true });
});

async function newStreams(
  ...names: string[]
): Promise<{ group: string; streams: { id: string; token: string }[] }> {
  const group = await viewer.createGroup(`group ${++count}`);
  const streams = [];
  for (const name of names) streams.push(await viewer.createStream(group, name));
  return { group: group.id, streams };
}

/** A line whose own clock says this. */
function lineAt(time: string, message: string): Buffer {
  return octetCounted(`<190>1 ${time} host app web.1 - - ${message}`);
}

const idOf = ({ stream, position }: ViewerLine): string => `${stream} ${position}`;

it('a search, its older pages and the tail behind it give every line once while lines come, whatever their clocks say', async () => {
  const { group, streams } = await newStreams('a', 'b');
  const sent: string[] = [];
  let isOver = false;
  const sending = streams.map(async ({ token }, which) => {
    for (let i = 0; !isOver; i++) {
      const messages = numberedMessages(20, `s${which}`, 20 * i);
      sent.push(...messages);
      await pushLines(viewer, token, messages);
      // From yesterday, and from next year: late, and early.
      const odd = [`late ${which} ${i}`, `early ${which} ${i}`];
      sent.push(...odd);
      await postLogs(
        viewer,
        token,
        Buffer.concat([lineAt('2012-01-01T00:00:00Z', odd[0]), lineAt('2099-01-01T00:00:00Z', odd[1])]),
      );
    }
  });
  await until('some lines', () => sent.length > 500);
  const newest = await viewer.search(`group=${group}&limit=50`);
  await until('more lines', () => sent.length > 1_000);
  const tail = await new TailReader(viewer, `group=${group}`, newest.tail).connect();
  const seen: ViewerLine[] = [...newest.lines];
  let before = newest.before;
  while (before !== undefined) {
    const page = await viewer.search(`group=${group}&limit=100&before=${before}`);
    seen.push(...page.lines);
    before = page.before;
  }
  isOver = true;
  await Promise.all(sending);
  await until('all lines', () => seen.length + tail.lines.length >= sent.length);
  await tail.close();
  const all = [...seen, ...tail.lines];
  expect(new Set(all.map(idOf)).size).toBe(all.length);
  expect(all.map(({ message }) => message).sort()).toEqual([...sent].sort());
  expect(tail.isLive).toBe(true);
  // Pages are by time, newest first, over their borders too.
  const times = seen.map(({ timestamp }) => Date.parse(timestamp));
  expect(times).toEqual([...times].sort((a, b) => b - a));
});

it('a tail goes on where it was: after a lost connection, and after kill -9 of the viewer', async () => {
  const { group, streams } = await newStreams('a');
  await pushLines(viewer, streams[0].token, ['one']);
  const tail = await new TailReader(viewer, `group=${group}`, '0.0').connect();
  await until('the first line', () => tail.messages.length === 1);
  await tail.close();
  await pushLines(viewer, streams[0].token, ['two']);
  await tail.connect();
  await until('the second line', () => tail.messages.length === 2);
  await viewer.kill();
  await tail.ended;
  viewer = await startViewer({ data: viewer.data });
  await pushLines(viewer, streams[0].token, ['three']);
  await tail.connect(viewer);
  await until('the third line', () => tail.messages.length === 3);
  expect(tail.messages).toEqual(['one', 'two', 'three']);
  await tail.close();
});

it('finds by a search, from now on, and takes up streams that are made meanwhile', async () => {
  const { group, streams } = await newStreams('a');
  await pushLines(viewer, streams[0].token, ['status=500 before']);
  const tail = await new TailReader(
    viewer,
    `group=${group}&q=${encodeURIComponent('status:>=500 -health')}`,
  ).connect();
  await until('that it is live', () => tail.isLive);
  await pushLines(viewer, streams[0].token, ['status=200 no', 'status=502 yes', 'status=503 health']);
  const added = await viewer.createStream({ id: group }, 'b');
  await pushLines(viewer, added.token, ['status=504 of a new stream']);
  await until('both', () => tail.lines.length === 2);
  expect(tail.messages).toEqual(['status=502 yes', 'status=504 of a new stream']);
  expect(tail.lines.map(({ stream }) => stream)).toEqual([streams[0].id, added.id]);
  await tail.close();
});

it('a stream’s name is its lines’ sender: in searches, counts, values, downloads, live, and in what is deleted', async () => {
  const { group, streams } = await newStreams('shop-api', 'billing');
  await pushLines(viewer, streams[0].token, ['one status=200', 'two status=500']);
  await pushLines(viewer, streams[1].token, ['three status=200', 'four of the shop-api']);
  const q = (search: string): string => `group=${group}&q=${encodeURIComponent(search)}`;
  const tail = await new TailReader(viewer, q('sender:shop'), '0.0').connect();
  for (const [search, ...wanted] of [
    ['sender:shop', 'one status=200', 'two status=500'],
    ['-sender:shop', 'three status=200', 'four of the shop-api'],
    ['sender:(shop OR billing) status:200', 'one status=200', 'three status=200'],
    ['shop-api', 'one status=200', 'two status=500', 'four of the shop-api'],
    ['billing status:500'],
  ]) {
    const { lines } = await viewer.search(q(search));
    expect(lines.map(({ message }) => message).sort(), search).toEqual(wanted.sort());
    const { buckets } = await viewer.request<{ buckets: { other: number; error: number }[] }>(
      'GET',
      `/api/counts?${q(search)}&from=2000-01-01&step=86400000`,
    );
    expect(
      buckets.reduce((sum, { other, error }) => sum + other + error, 0),
      search,
    ).toBe(wanted.length);
    const { values } = await viewer.request<{ values: { count: number }[] }>(
      'GET',
      `/api/values?${q(search)}&field=status&from=2000-01-01`,
    );
    expect(
      values.reduce((sum, { count }) => sum + count, 0),
      search,
    ).toBe(wanted.filter((text) => text.includes('status=')).length);
  }
  const headers = { authorization: `Bearer ${VIEWER_KEY}` };
  const download = await fetch(`${viewer.url}/api/download?${q('sender:billing')}&format=text`, { headers });
  expect((await download.text()).trim().split('\n')).toHaveLength(2);
  await pushLines(viewer, streams[1].token, ['five']);
  await pushLines(viewer, streams[0].token, ['six']);
  await until('all of the one', () => tail.messages.includes('six'));
  expect(tail.messages).toEqual(['one status=200', 'two status=500', 'six']);
  await tail.close();
  const deletion = { group, q: 'sender:billing', dry_run: true };
  expect(await viewer.request('POST', '/api/deletions', deletion)).toMatchObject({ lines: 3 });
});

it('over a WebSocket the same messages come', async () => {
  const { group, streams } = await newStreams('a');
  await pushLines(viewer, streams[0].token, ['one', 'two']);
  const socket = new WebSocket(`${viewer.url.replace('http', 'ws')}/api/tail?group=${group}&after=0.0`, {
    headers: { authorization: `Bearer ${VIEWER_KEY}` },
  });
  const messages: { after: string; live?: boolean; lines: ViewerLine[] }[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  await until('that it is live', () => messages.some(({ live }) => live));
  await pushLines(viewer, streams[0].token, ['three']);
  await until('the third', () => messages.flatMap(({ lines }) => lines).length === 3);
  expect(messages.flatMap(({ lines }) => lines.map(({ message }) => message))).toEqual([
    'one',
    'two',
    'three',
  ]);
  expect(messages[0]).toMatchObject({ lines: [], after: expect.stringMatching(/\.0$/) });
  socket.close();
});

it('what a line says stays text: in JSON, in events, in downloads', async () => {
  const { group, streams } = await newStreams('a');
  const corpus = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '"><svg/onload=alert(1)>',
    '</script><script>alert(1)</script>',
    'javascript:alert(1)',
    '{{constructor.constructor("alert(1)")()}}',
    '\u2028alert(1)\u2029',
    'data: {"lines":[]}\r\n\r\nevent: x',
    '\x1b]0;title\x07\x1b[2J\x1b[31mred',
    'a\u202eb\u200bc',
    '\x9b31m eight bits',
    'id: 9.9',
  ];
  await postLogs(
    viewer,
    streams[0].token,
    Buffer.concat(corpus.map((text) => lineAt('2026-01-01T00:00:00Z', text))),
  );
  const tail = await new TailReader(viewer, `group=${group}`, '0.0').connect();
  await until('all', () => tail.lines.length === corpus.length);
  const page = await viewer.fetch('GET', `/api/search?group=${group}&after=`);
  expect(page.headers.get('content-type')).toBe('application/json; charset=utf-8');
  const body = await page.text();
  // Nothing that a terminal would obey, or that nobody sees, is in it as it is.
  expect(body).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e\u2028\u2029]/);
  const messages = (JSON.parse(body) as { lines: ViewerLine[] }).lines.map(({ message }) => message);
  expect(messages).toEqual(tail.messages);
  expect(messages.map((text) => text.replace(/\r?\n/g, '\n'))).toEqual(
    corpus.map((text) => text.replace(/\r?\n/g, '\n')),
  );
  for (const format of ['text', 'ndjson']) {
    const file = await viewer.fetch('GET', `/api/download?group=${group}&format=${format}`);
    expect(file.headers.get('content-type')).toMatch(/^(?:text\/plain|application\/x-ndjson)/);
    expect(file.headers.get('content-disposition')).toMatch(/^attachment; filename="lines-[\dT-]+\.\w+"$/);
    expect(file.headers.get('x-content-type-options')).toBe('nosniff');
    // Colors stay in texts.
    expect((await file.text()).replace(/\x1b\[\d*m/g, '')).not.toMatch(
      /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202e]/,
    );
  }
  await tail.close();
});

it('a download has all lines in their order, packed too; what can’t be read is refused with what to write', async () => {
  const { group, streams } = await newStreams('a', 'b');
  for (const { token } of streams)
    for (let i = 0; i < 5; i++)
      await pushLines(viewer, token, numberedMessages(500, `${token.slice(2, 6)}`, 500 * i));
  const plain = await (await viewer.fetch('GET', `/api/download?group=${group}&format=ndjson`)).text();
  const lines = plain
    .trimEnd()
    .split('\n')
    .map((row) => JSON.parse(row) as ViewerLine);
  expect(new Set(lines.map(idOf)).size).toBe(5_000);
  const packed = await (
    await viewer.fetch('GET', `/api/download?group=${group}&format=ndjson&gzip=yes`)
  ).arrayBuffer();
  expect(gunzipSync(Buffer.from(packed)).toString()).toBe(plain);
  const text = await (await viewer.fetch('GET', `/api/download?stream=${streams[0].id}`)).text();
  expect(text.split('\n')).toHaveLength(2_501);
  const refused: Record<string, RegExp> = {
    '/api/search?bogus=1': /no parameter "bogus" here: there are group, stream/,
    '/api/search?limit=0': /limit must be a number from 1/,
    '/api/search?limit=1e3': /limit must be a number/,
    '/api/search?limit=5&limit=6': /limit must be given once/,
    '/api/search?q=(': /parenthesis at character 1/,
    '/api/search?q=status:>x': /takes a number/,
    '/api/search?from=soon': /"soon" is no time/,
    '/api/search?from=1h&to=2h': /before/,
    '/api/search?before=x': /cursor that a search gave out/,
    [`/api/search?before=${Buffer.from('["x"]').toString('base64url')}`]: /\w/,
    '/api/search?before=x&after=y': /use one/,
    '/api/tail?after=x': /position that the viewer gave out/,
    '/api/tail?lines=5': /no parameter "lines"/,
    '/api/counts?step=0': /step must be/,
    '/api/counts?step=1&from=30d': /step must be at least/,
    '/api/values?field=': /field must be/,
    '/api/values?field=%3Cb%3E': /field must be/,
    '/api/download?format=xml': /format must be text or ndjson/,
    '/api/download?gzip=maybe': /gzip must be yes or no/,
    [`/api/streams/${streams[0].id}/lines/x/context`]: /position is a number/,
  };
  for (const [path, sentence] of Object.entries(refused)) {
    const response = await viewer.fetch('GET', path);
    const { message } = (await response.json()) as { message: string };
    expect([path, response.status, message]).toEqual([path, 422, expect.stringMatching(sentence)]);
  }
  const missing = await viewer.fetch('GET', `/api/streams/${streams[0].id}/lines/99999/context`);
  expect([missing.status, await missing.json()]).toMatchObject([404, { message: /kept/ }]);
});

it('a download ends when its key does, packed too', async () => {
  const { group, streams } = await newStreams('long');
  // More than is under way to a reader that doesn't read.
  for (let i = 0; i < 20; i++)
    await pushLines(
      viewer,
      streams[0].token,
      Array.from({ length: 1_000 }, () => randomBytes(700).toString('base64')),
    );
  const { id, key } = await viewer.request<{ id: string; key: string }>('POST', '/api/keys', {
    name: 'for a while',
    scope: 'read',
    groups: [group],
  });
  const headers = { authorization: `Bearer ${key}` };
  const readers = await Promise.all(
    ['', '&gzip=yes'].map(async (packed) => {
      const { body } = await fetch(`${viewer.url}/api/download?group=${group}${packed}`, { headers });
      const reader = body!.getReader();
      await reader.read();
      return reader;
    }),
  );
  await viewer.request('DELETE', `/api/keys/${id}`);
  for (const reader of readers) {
    const rest = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    await expect(rest()).rejects.toThrow();
  }
});

it('counts, values, fields and what is around a line', async () => {
  const { group, streams } = await newStreams('a');
  const nowMs = Date.now();
  const at = (minutesAgo: number): string => new Date(nowMs - minutesAgo * 60_000).toISOString();
  const texts = [
    'status=200 path=/',
    'level=error status=500 path=/pay',
    'status=200 path=/',
    'status=404 path=/x',
  ];
  await postLogs(viewer, streams[0].token, Buffer.concat(texts.map((text, i) => lineAt(at(30 - i), text))));
  const counts = await viewer.request<{
    step: number;
    buckets: { start: number; error: number; other: number }[];
  }>('GET', `/api/counts?group=${group}&from=1h&step=60`);
  expect(counts.step).toBe(60);
  expect(counts.buckets.reduce((sum, { error, other }) => sum + error + other, 0)).toBe(4);
  expect(counts.buckets.filter(({ error }) => error > 0)).toHaveLength(1);
  expect(await viewer.request('GET', `/api/values?group=${group}&field=status&limit=1`)).toEqual({
    values: [{ value: '200', count: 2 }],
    other: 2,
    missing: 0,
  });
  const { fields } = await viewer.request<{ fields: string[] }>('GET', `/api/fields?group=${group}`);
  expect(fields).toEqual(expect.arrayContaining(['status', 'path']));
  const { lines } = await viewer.search(`group=${group}&q=pay`);
  const around = await viewer.request<{ lines: ViewerLine[] }>(
    'GET',
    `/api/streams/${lines[0].stream}/lines/${lines[0].position}/context?before=1&after=1`,
  );
  expect(around.lines.map(({ message }) => message)).toEqual(texts.slice(0, 3));
});

it('counts, values and fields of a day are of the one that ends with the range', async () => {
  const { group, streams } = await newStreams('old');
  const texts = ['status=200', 'status=500'];
  await postLogs(
    viewer,
    streams[0].token,
    Buffer.concat(texts.map((text, i) => lineAt(`2020-05-0${1 + i}T12:00:00Z`, text))),
  );
  for (const end of ['to=2020-05-03', `q=${encodeURIComponent('until:2020-05-03')}`]) {
    const counts = await viewer.request<{ buckets: { other: number }[] }>(
      'GET',
      `/api/counts?group=${group}&${end}`,
    );
    expect(counts.buckets.reduce((sum, { other }) => sum + other, 0)).toBe(1);
    expect(await viewer.request('GET', `/api/values?group=${group}&field=status&${end}`)).toMatchObject({
      values: [{ value: '500', count: 1 }],
    });
    expect(await viewer.request('GET', `/api/fields?group=${group}&${end}`)).toEqual({ fields: ['status'] });
  }
  const reversed = await viewer.fetch('GET', `/api/search?q=${encodeURIComponent('since:1h until:2h')}`);
  expect([reversed.status, await reversed.json()]).toMatchObject([422, { message: /since:.*before/ }]);
});

it('a question mark in a search is part of it, over a WebSocket too', async () => {
  const { group, streams } = await newStreams('asks');
  const { host } = new URL(viewer.url);
  // As it is, which an address may have it (RFC 3986 section 3.4).
  const socket = new WebSocket(`ws://${host}/api/tail?group=${group}&q=what?now`, {
    headers: { authorization: `Bearer ${VIEWER_KEY}` },
  });
  const messages: string[] = [];
  socket.on('message', (data) => {
    for (const { message } of (JSON.parse(String(data)) as { lines: ViewerLine[] }).lines)
      messages.push(message);
  });
  await until('the tail', () => socket.readyState === WebSocket.OPEN);
  await pushLines(viewer, streams[0].token, ['what now', 'what?', 'what?now']);
  await until('a line', () => messages.length > 0);
  socket.close();
  expect(messages).toEqual(['what?now']);
});

it('with `events`, a line that matches comes with its whole stack trace: in pages, in a download, live', async () => {
  const { streams } = await newStreams('orders-service');
  const [{ id, token }] = streams;
  const startMs = Date.now() - 3_600_000;
  const trace = (order: number): string[] => [
    `java.lang.IllegalStateException: order ${order} was lost`,
    '\tat shop.Orders.find(Orders.java:41)',
    `Caused by: java.io.IOException: no connection ${order}`,
    '\t... 12 more',
  ];
  // Two dynos take turns: what belongs together isn't beside each other.
  const turns = Array.from({ length: 40 }, (_, order) => trace(order)).flatMap((lines, order) =>
    lines.flatMap((text, i) => [
      { text, dyno: 'web.1', ms: startMs + order * 5_000 + i },
      { text: `GET /orders/${order} ${i}`, dyno: 'web.2', ms: startMs + order * 5_000 + i },
    ]),
  );
  const asLine = ({ text, dyno, ms }: (typeof turns)[number]): Buffer =>
    octetCounted(`<190>1 ${new Date(ms).toISOString()} host app ${dyno} - - ${text}`);
  await postLogs(viewer, token, Buffer.concat(turns.map(asLine)));
  const q = `stream=${id}&q=%22no+connection%22`;
  expect((await viewer.search(`${q}&limit=1`)).lines.map(({ message }) => message)).toEqual([trace(39)[2]]);
  await expect(viewer.search(`${q}&events=yes&limit=1001`)).rejects.toThrow(
    'limit must be a number from 1 to 1000',
  );
  const page = await viewer.search(`${q}&events=yes&limit=1`);
  expect(page.lines.map(({ message }) => message)).toEqual(trace(39).reverse());
  expect(page.lines.map((line) => 'matches' in line)).toEqual([true, false, true, true]);
  const older = await viewer.search(`${q}&events=yes&limit=2&before=${page.before}`);
  expect(older.lines.map(({ message }) => message)).toEqual([...trace(37), ...trace(38)].reverse());
  // An event is whole beyond the end of a page, and of the times that were asked for.
  const edge = await viewer.search(
    `stream=${id}&q=java&events=yes&after=&limit=1&to=${startMs / 1_000 + 0.001}`,
  );
  expect(edge.lines.map(({ message }) => message)).toEqual(trace(0));
  expect((await viewer.search(`stream=${id}&q=GET+-java&events=yes`)).lines).toHaveLength(100);
  const download = await viewer.fetch('GET', `/api/download?${q}&events=yes&format=ndjson`);
  const rows = (await download.text()).trim().split('\n');
  expect(rows.map((row) => JSON.parse(row).message)).toEqual(
    Array.from({ length: 40 }, (_, order) => trace(order)).flat(),
  );

  const tail = await new TailReader(viewer, `${q}&events=yes`).connect();
  await until('the live end', () => tail.isLive);
  await pushLines(viewer, token, ['before', ...trace(41), 'GET /']);
  await until('the trace', () => tail.lines.length === 4);
  expect(tail.messages).toEqual(trace(41));
  await tail.close();
});
