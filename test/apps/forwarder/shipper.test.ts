import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { Shipper, type ShipperOptions } from '../../../src/apps/forwarder/shipper.ts';
import { Dyno } from '../../../src/apps/processes/dyno.ts';
import { startIngestServer } from './ingest-server.ts';

const tokens = { app: 't.aaaa', heroku: 't.bbbb' };
const shippers: Shipper[] = [];
const numbered = (count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => `line ${from + index}`);

/** A frame with its time left out. */
const untimed = (frame: Buffer) => frame.toString('latin1').replace(/ \S+\+00:00 /, ' ');

function ship(url: string, options: Partial<ShipperOptions> = {}) {
  const shipper = new Shipper({ url, key: 'the-key', tokens, retryDelayMs: () => 1, ...options });
  shippers.push(shipper);
  return shipper;
}

afterEach(async () => {
  await Promise.all(shippers.splice(0).map((shipper) => shipper.close(0)));
});

test('lines arrive as frames of RFC 5424, with the token of their source', async () => {
  await using server = await startIngestServer();
  const shipper = ship(`${server.url}/base/`);
  shipper.writeLine('app', 'web.1', 190, Buffer.from([0x68, 0xff, 0x00, 0xc3]));
  shipper.writeLine('heroku', 'web.1', 45, 'State changed from starting to up ✓');
  await shipper.flush();
  expect(server.requests).toHaveLength(1);
  const { path, headers, frames } = server.requests[0];
  expect(path).toBe('/base/logs');
  expect(headers).toMatchObject({
    'content-type': 'application/logplex-1',
    authorization: 'Bearer the-key',
    'logplex-msg-count': '2',
    'logplex-frame-id': expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  expect(frames[0].toString('latin1')).toMatch(
    /^<190>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 host t\.aaaa web\.1 - - h\xff\x00\xc3\n$/,
  );
  expect(frames[1].toString()).toMatch(
    /^<45>1 \S+ host t\.bbbb web\.1 - - State changed from starting to up ✓\n$/,
  );
  expect(shipper.stats()).toEqual({ accepted: 2, dropped: 0, lost: 0, bufferedBytes: 0 });
});

test('an answer whose body does not come holds up the next batch no longer than an answer may take', async () => {
  await using server = await startIngestServer(['half']);
  const shipper = ship(server.url, { responseTimeoutMs: 200 });
  shipper.writeLine('app', 'web.1', 190, 'one');
  await shipper.flush();
  shipper.writeLine('app', 'web.1', 190, 'two');
  await shipper.flush();
  // On a busy machine its answer may be late, too: it is sent again then.
  expect([...new Set(server.messages())]).toEqual(['one', 'two']);
});

test('a batch is retried until it is accepted, with the same frame id, and the order holds', async () => {
  await using server = await startIngestServer([503, 503, 'reset', 429, 500]);
  const trouble: string[] = [];
  const shipper = ship(server.url, { onWarning: (message) => trouble.push(message) });
  for (const text of numbered(3)) shipper.writeLine('app', 'web.1', 190, text);
  await expect.poll(() => server.requests.length).toBeGreaterThan(0);
  for (const text of numbered(3, 4)) shipper.writeLine('app', 'web.1', 190, text);
  await shipper.flush();
  const ids = server.requests.map(({ headers }) => headers['logplex-frame-id']);
  expect(ids.length).toBe(7);
  expect(new Set(ids.slice(0, 6)).size).toBe(1);
  expect(ids[6]).not.toBe(ids[5]);
  expect(server.requests[5]).toEqual({ ...server.requests[0], headers: server.requests[5].headers });
  expect(server.messages().slice(-6)).toEqual(numbered(6));
  expect(shipper.stats()).toMatchObject({ accepted: 6, lost: 0 });
  expect(trouble).toEqual(['The router takes no lines (status 503); trying again until it does.']);
});

test('one request at a time: what comes meanwhile goes together in the next one', async () => {
  let answer = () => {};
  const after = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await using server = await startIngestServer([{ status: 204, after }]);
  const shipper = ship(server.url);
  shipper.writeLine('app', 'web.1', 190, 'line 1');
  await expect.poll(() => server.requests.length).toBe(1);
  for (const text of numbered(200, 2)) shipper.writeLine('app', 'web.1', 190, text);
  expect(server.requests.length).toBe(1);
  answer();
  await shipper.flush();
  expect(server.requests.map(({ frames }) => frames.length)).toEqual([1, 200]);
  expect(server.messages()).toEqual(numbered(201));
});

test('batches are bounded in lines and in bytes', async () => {
  await using server = await startIngestServer();
  const shipper = ship(server.url, { batchLineCountMax: 10, batchBytesMax: 20_000 });
  for (const text of numbered(25)) shipper.writeLine('app', 'web.1', 190, text);
  await shipper.flush();
  expect(server.requests.map(({ frames }) => frames.length)).toEqual([10, 10, 5]);
  for (let count = 0; count < 3; count += 1) shipper.writeLine('app', 'web.1', 190, Buffer.alloc(9_000, 'x'));
  await shipper.flush();
  expect(server.requests.slice(3).map(({ frames }) => frames.length)).toEqual([2, 1]);
});

test('lines linger until the batch is full or the first has waited long enough', async () => {
  await using server = await startIngestServer();
  const shipper = ship(server.url, { batchLineCountMax: 10, lingerMs: 2_000 });
  const startedMs = performance.now();
  for (const text of numbered(23)) shipper.writeLine('app', 'web.1', 190, text);
  await expect.poll(() => server.requests.length).toBe(2);
  await expect.poll(() => server.requests.length).toBe(3);
  expect(performance.now() - startedMs).toBeGreaterThan(1_990);
  shipper.writeLine('app', 'web.1', 190, 'line 24');
  await shipper.flush();
  expect(server.requests.map(({ frames }) => frames.length)).toEqual([10, 10, 3, 1]);
  expect(server.messages()).toEqual(numbered(24));
});

test('lines over 10,000 bytes are split', async () => {
  await using server = await startIngestServer();
  const shipper = ship(server.url);
  shipper.writeLine('app', 'web.1', 190, Buffer.alloc(25_000, 'x'));
  await shipper.flush();
  expect(server.messages().map((message) => message.length)).toEqual([10_000, 10_000, 5_000]);
});

test('a refused batch is counted and reported in the stream (L13)', async () => {
  await using server = await startIngestServer([400]);
  const trouble: string[] = [];
  const shipper = ship(server.url, { onWarning: (message) => trouble.push(message) });
  for (const text of numbered(3)) shipper.writeLine('app', 'web.1', 190, text);
  await shipper.flush();
  const report = server.requests[1].frames[0].toString();
  expect(report).toMatch(
    /^<172>1 \S+ host t\.aaaa log-shuttle - - Error L13: 3 messages lost since \d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}\+00:00\.\n$/,
  );
  expect(shipper.stats()).toMatchObject({ accepted: 1, lost: 3 });
  expect(trouble).toEqual(['The router refused 3 lines with status 400.']);
});

test('a router that refuses everything is not sent reports forever, but the whole loss once it accepts again', async () => {
  await using server = await startIngestServer([401, 401, 401, 204]);
  const shipper = ship(server.url);
  shipper.writeLine('app', 'web.1', 190, 'line 1');
  await shipper.flush();
  // The line, then its report: no third request.
  expect(server.requests).toHaveLength(2);
  shipper.writeLine('app', 'web.1', 190, 'line 2');
  await shipper.flush();
  expect(server.messages().at(-1)).toMatch(/^Error L13: 2 messages lost since /);
  expect(shipper.stats()).toMatchObject({ accepted: 1, lost: 2 });
});

test('lines of the WebAssembly fast path arrive as they do one by one', async () => {
  await using server = await startIngestServer();
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '\r', '\0', 'é', '✓', '😀'), maxLength: 40 });
  const long = fc.tuple(fc.integer({ min: 9_990, max: 30_000 }), text).map(([n, end]) => 'x'.repeat(n) + end);
  const line = fc.oneof({ weight: 30, arbitrary: text }, { weight: 1, arbitrary: long });
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 50 }),
      async (lines, batchLineCountMax) => {
        const chunk = Buffer.from(lines.map((each) => `${each}\n`).join(''));
        const from = server.requests.length;
        const one = ship(server.url, { batchLineCountMax, batchBytesMax: 20_000 });
        for (const each of lines) one.writeLine('app', 'web.1', 190, each.replace(/\r$/, ''));
        await one.close();
        const between = server.requests.length;
        const many = ship(server.url, { batchLineCountMax, batchBytesMax: 20_000 });
        expect(many.writeChunk('app', 'web.1', 190, chunk, () => {})).toBe(chunk.length);
        await many.close();
        const [wanted, got] = [server.requests.slice(from, between), server.requests.slice(between)].map(
          (requests) => requests.map(({ frames }) => frames.map(untimed)),
        );
        expect(got).toEqual(wanted);
        server.requests.length = 0;
      },
    ),
    { numRuns: 60 },
  );
});

test('writers of large chunks wait for capacity, those of small ones don’t, and nothing is dropped', async () => {
  let answer = () => {};
  const after = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await using server = await startIngestServer([{ status: 204, after }]);
  const pressure: boolean[] = [];
  const shipper = ship(server.url, { onBackpressure: (full) => pressure.push(full) });
  const chunk = Buffer.from('a line\n'.repeat(5_000));
  let waiting = false;
  let taken = 0;
  const say = (): void => {
    waiting = false;
    for (let at = 0; taken < 200_000 && !waiting; ) {
      const bytes = shipper.writeChunk('app', 'loud.1', 190, chunk.subarray(at), () => say());
      taken += bytes / 7;
      waiting = bytes < chunk.length - at;
      at = waiting ? at : 0;
    }
  };
  say();
  expect(waiting).toBe(true);
  expect(taken).toBeGreaterThan(1_000);
  expect(taken).toBeLessThan(30_000);
  expect(shipper.writeChunk('app', 'quiet.1', 190, Buffer.from('a\nb\n'), () => {})).toBe(4);
  shipper.writeLine('app', 'quiet.1', 190, 'c');
  answer();
  await shipper.flush();
  const messages = server.messages();
  expect(messages.filter((text) => text === 'a line').length).toBe(taken);
  expect(taken).toBeGreaterThanOrEqual(200_000);
  expect(messages.filter((text) => text.length === 1)).toEqual(['a', 'b', 'c']);
  expect(messages.indexOf('c')).toBeLessThan(30_000);
  expect(pressure).toEqual([]);
  expect(shipper.stats()).toMatchObject({ dropped: 0, lost: 0 });
});

test('writers that wait when the shipper closes are let in, and their lines counted', async () => {
  await using server = await startIngestServer([], 503);
  const shipper = ship(server.url);
  const chunk = Buffer.from('x\n'.repeat(30_000));
  let reached = shipper.writeChunk('app', 'loud.1', 190, chunk, () => {
    reached += shipper.writeChunk('app', 'loud.1', 190, chunk.subarray(reached), () => {});
  });
  expect(reached).toBeLessThan(chunk.length);
  const { dropped, lost } = await shipper.close(50);
  expect(reached).toBe(chunk.length);
  expect(dropped).toBeGreaterThan(0);
  expect(dropped + lost).toBe(30_000);
});

test('a full buffer applies back-pressure first, then drops, and reports it (L12)', async () => {
  let answer = () => {};
  const after = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await using server = await startIngestServer([{ status: 204, after }]);
  const pressure: boolean[] = [];
  const bufferBytesMax = 100_000;
  const shipper = ship(server.url, { bufferBytesMax, onBackpressure: (full) => pressure.push(full) });
  const kilobyte = Buffer.alloc(1_000, 'x');
  const frameBytes = 1_000 + '1060 <190>1 2013-11-04T21:31:32.125756+00:00 host t.aaaa web.1 - - \n'.length;
  for (let count = 1; count <= 150; count += 1) {
    shipper.writeLine('app', 'web.1', 190, kilobyte);
    expect(pressure).toEqual(count * frameBytes < bufferBytesMax / 2 ? [] : [true]);
    expect(shipper.stats().bufferedBytes).toBeLessThanOrEqual(bufferBytesMax);
  }
  const { dropped } = shipper.stats();
  expect(dropped).toBeGreaterThan(50);
  answer();
  await shipper.flush();
  expect(pressure).toEqual([true, false]);
  expect(server.messages().at(-1)).toMatch(
    new RegExp(`^Error L12: ${dropped} messages dropped since .{32}\\.$`),
  );
  expect(shipper.stats()).toEqual({ accepted: 151 - dropped, dropped, lost: 0, bufferedBytes: 0 });
});

test('close delivers what is buffered, and gives up what it cannot deliver in time', async () => {
  await using server = await startIngestServer();
  const shipper = ship(server.url);
  shipper.writeLine('app', 'web.1', 190, 'line 1');
  expect(await shipper.close()).toMatchObject({ accepted: 1, lost: 0 });
  shipper.writeLine('app', 'web.1', 190, 'too late');
  expect(shipper.stats()).toMatchObject({ dropped: 1 });

  await using busy = await startIngestServer([], 503);
  const stuck = ship(busy.url, { batchLineCountMax: 2 });
  for (const text of numbered(5)) stuck.writeLine('app', 'web.1', 190, text);
  expect(await stuck.close(50)).toEqual({ accepted: 0, dropped: 0, lost: 5, bufferedBytes: 0 });
});

test('a router that is unavailable at first gets everything once it is up', async () => {
  const port = await (async () => {
    await using server = await startIngestServer();
    return new URL(server.url).port;
  })();
  const trouble: string[] = [];
  const shipper = ship(`http://127.0.0.1:${port}`, { onWarning: (message) => trouble.push(message) });
  shipper.writeLine('app', 'web.1', 190, 'line 1');
  await expect.poll(() => trouble.length).toBe(1);
  expect(trouble[0]).toContain('ECONNREFUSED');
  await using server = await startIngestServer([], 204, Number(port));
  await shipper.flush();
  expect(server.messages()).toEqual(['line 1']);
});

test('a source without a token is an error', () => {
  expect(() => ship('http://127.0.0.1:1').writeLine('postgres', 'db', 134, 'x')).toThrow(
    'no token for the source "postgres"',
  );
});

test('from a chatty dyno through back-pressure to a router that fails now and then, every line arrives, in order', async () => {
  await using server = await startIngestServer([204, 503, 'reset', 503, 204, 'reset', 503]);
  const lineCount = 100_000;
  const pressure: boolean[] = [];
  const shipper = ship(server.url, {
    bufferBytesMax: 400_000,
    batchBytesMax: 100_000,
    onBackpressure: (full) => {
      pressure.push(full);
      if (full) dyno.pause();
      else dyno.resume();
    },
  });
  const script = `let s="";for(let i=1;i<=${lineCount};i++){s+="line "+i+"\\n";if(i%1000===0){require("fs").writeSync(1,s);s=""}}`;
  const dyno = new Dyno({
    name: 'worker.1',
    type: 'worker',
    command: `"${process.execPath}" -e '${script}'`,
    cwd: tmpdir(),
    env: process.env,
    lines: shipper,
  });
  dyno.start();
  await dyno.exited;
  await shipper.flush();
  const seen = new Map(
    server.requests.map((request) => [request.headers['logplex-frame-id'], request.frames]),
  );
  const texts = [...seen.values()].flat().map((frame) => frame.toString().trimEnd().split(' - - ')[1]);
  const wanted = numbered(lineCount);
  // Compared as one: a hundred thousand lines of difference help nobody.
  expect(texts.filter((text) => text.startsWith('line ')).join() === wanted.join()).toBe(true);
  expect(pressure.length).toBeGreaterThan(1);
  expect(shipper.stats()).toMatchObject({ dropped: 0, lost: 0, bufferedBytes: 0 });
});
