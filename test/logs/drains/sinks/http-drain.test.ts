import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  HttpReceiver,
  type PlannedResponse,
  startHttpReceiver,
} from '../../../support/receivers/receivers.ts';
import { withoutDuplicates } from '../../../support/senders/frames.ts';
import { numberedMessages, pushLines } from '../../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

async function pushMany(app: App, count: number): Promise<void> {
  for (let i = 0; i < count; i += 50) await pushLines(server, app.token, numberedMessages(50, 'line', i));
}

const arrived = (receiver: HttpReceiver, count: number) =>
  until(`${count} lines at the drain`, () => withoutDuplicates(receiver.acceptedMessages()).length >= count);

/** Every request that was repeated was repeated with the same name and the same bytes. */
function expectSameOnRetry(receiver: HttpReceiver): void {
  const bodies = new Map<string, string>();
  const names = new Map<string, string>();
  for (const { frameId, body } of receiver.requests) {
    expect(bodies.get(frameId) ?? body).toBe(body);
    expect(names.get(body) ?? frameId).toBe(frameId);
    bodies.set(frameId, body);
    names.set(body, frameId);
  }
}

describe('an HTTP drain', () => {
  it('gets every line in order, each once, when nothing goes wrong', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, ['before the drain was there']);
    const receiver = await startHttpReceiver();
    await server.createDrain(app, receiver.url);
    await pushMany(app, 2_000);
    await arrived(receiver, 2_000);
    expect(receiver.acceptedMessages()).toEqual(numberedMessages(2_000));
    for (const { body, headers } of receiver.requests)
      expect(Number(headers['logplex-msg-count'])).toBe(body.split('\n').length - 1);
    const drain = await until('an idle drain', async () => {
      const [one] = await server.listDrains(app);
      return one.delivery.state === 'idle' && one.delivery.delivered === 2_000 && one;
    });
    expect(drain.delivery).toMatchObject({ lost: 0, lagLines: 0 });
  });

  it.each<[string, (attempt: number) => PlannedResponse]>([
    ['answers 500 every other time', (attempt) => (attempt % 2 ? 200 : 500)],
    ['resets the connection every third time', (attempt) => (attempt % 3 ? 200 : 'reset')],
    ['takes a request and resets before it answers', (attempt) => (attempt % 3 ? 200 : 'reset-after-body')],
    ['says "not now"', (attempt) => [429, 408, 503, 200][attempt % 4]],
    ['doesn’t know us at first', (attempt) => (attempt < 2 ? 401 : attempt < 4 ? 404 : 200)],
  ])('that %s: every line, in order; a retry is the same request', async (_name, plan) => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver(plan);
    await server.createDrain(app, receiver.url);
    await pushMany(app, 500);
    await arrived(receiver, 500);
    expect(withoutDuplicates(receiver.acceptedMessages())).toEqual(numberedMessages(500));
    expectSameOnRetry(receiver);
  });

  it('that was down: gets all lines of that time, in order', async () => {
    const app = await server.createApp();
    const receiver = await new HttpReceiver().listen();
    await server.createDrain(app, receiver.url);
    await pushMany(app, 100);
    await arrived(receiver, 100);
    await receiver.close();
    for (let i = 100; i < 5_100; i += 500)
      await pushLines(server, app.token, numberedMessages(500, 'line', i));
    const [{ delivery }] = await until('it is seen to be down', async () => {
      const drains = await server.listDrains(app);
      return drains[0].delivery.lastError ? drains : undefined;
    });
    expect(delivery.state).toBe('retrying');
    // And one that says so, from the second attempt on.
    expect([5_000, 5_001]).toContain(delivery.lagLines);
    expect(delivery.lastError).toContain('ECONNREFUSED');
    await receiver.listen();
    await arrived(receiver, 5_100);
    expect(withoutDuplicates(receiver.acceptedMessages())).toEqual(numberedMessages(5_100));
    await receiver.close();
  });

  it('isn’t retried before its Retry-After', async () => {
    const app = await server.createApp();
    const times: number[] = [];
    const receiver = await startHttpReceiver((attempt) => {
      times.push(performance.now());
      return attempt === 0 ? { status: 503, headers: { 'retry-after': '2' } } : 200;
    });
    await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, ['hello']);
    await arrived(receiver, 1);
    expect(times[1] - times[0]).toBeGreaterThan(1_900);
  });

  it('that is slow doesn’t delay others', async () => {
    const app = await server.createApp();
    const release: (() => void)[] = [];
    const slow = await startHttpReceiver(() => new Promise((resolve) => release.push(() => resolve(200))));
    const quick = await startHttpReceiver();
    await server.createDrain(app, slow.url);
    await server.createDrain(app, quick.url);
    await pushMany(app, 500);
    await arrived(quick, 500);
    expect(slow.acceptedMessages()).toEqual([]);
    const going = setInterval(() => release.splice(0).forEach((go) => void go()), 5);
    await arrived(slow, 500);
    clearInterval(going);
    expect(slow.acceptedMessages()).toEqual(numberedMessages(500));
  });

  it('that refuses a request (400) loses these lines only; the loss is counted, and reported once', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver((attempt) => (attempt === 0 ? 400 : 200));
    const { token } = await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, numberedMessages(20));
    await until('the refusal', () => receiver.requests.length > 0);
    await pushLines(server, app.token, ['after']);
    await until('the line after', () => receiver.acceptedMessages().includes('after'));
    const told = (await server.readMessages(app)).filter((text) => text.includes('Error L10'));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(`drain '${token}' dropped 20 messages`);
    expect(told[0]).toContain('400');
    const [{ delivery }] = await server.listDrains(app);
    expect(delivery.lost).toBe(20);
  });

  it('that repeats the drain’s credentials in an error is quoted without them, whatever the form of its answer', async () => {
    const app = await server.createApp();
    const sentence =
      'no key-12345 of ada:hunter22 (Basic YWRhOmh1bnRlcjIy) at http://u:secret@proxy/?token=t0ken';
    const answers: PlannedResponse[] = [
      { status: 400, headers: { 'content-type': 'text/plain' }, body: sentence },
      {
        status: 503,
        headers: { 'content-type': 'application/x-protobuf' },
        body: Buffer.concat([Buffer.from([0x08, 3, 0x12, sentence.length]), Buffer.from(sentence)]),
      },
    ];
    const receiver = await startHttpReceiver((attempt) => answers[attempt % 2]);
    const url = receiver.url.replace('//', '//ada:hunter22@');
    await server.request('POST', `/apps/${app.name}/log-drains`, {
      url,
      options: { headers: { 'X-Key': 'key-12345' } },
    });
    await pushLines(server, app.token, ['a line']);
    const told = 'no **** of ada:**** (Basic ****) at http://u:****@proxy/?token=****';
    await until('the line about its refusal', async () =>
      (await server.readMessages(app)).some((text) => text.includes(`answered 400: ${told}.`)),
    );
    await until(
      'the other error',
      async () =>
        (await server.listDrains(app))[0].delivery.lastError === `the destination answered 503: ${told}`,
    );
  });

  it('that refuses everything doesn’t fill the stream with what it refuses', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver(() => 400);
    await server.createDrain(app, receiver.url);
    for (let i = 0; i < 10; i++) {
      await pushLines(server, app.token, [`line ${i}`]);
      await until('its refusal', () => receiver.requests.some(({ body }) => body.includes(`line ${i}`)));
    }
    await until(
      'everything was refused',
      async () => (await server.listDrains(app))[0].delivery.lagLines === 0,
    );
    const told = (await server.readMessages(app)).filter((text) => text.includes('Error L10'));
    expect(told.length).toBeLessThan(3);
  });

  it('that is removed gets nothing more; the others go on', async () => {
    const app = await server.createApp();
    const one = await startHttpReceiver();
    const other = await startHttpReceiver();
    const { id } = await server.createDrain(app, one.url);
    await server.createDrain(app, other.url);
    await pushLines(server, app.token, ['first']);
    await arrived(one, 1);
    await server.request('DELETE', `/apps/${app.name}/log-drains/${id}`);
    await pushLines(server, app.token, ['second']);
    await arrived(other, 2);
    expect(one.acceptedMessages()).toEqual(['first']);
    expect(await server.listDrains(app)).toHaveLength(1);
  });
});
