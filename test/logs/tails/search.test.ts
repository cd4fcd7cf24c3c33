/** Searches on a server with either store: lines from every kind of sender, history and live tails, over every protocol. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventStreamTail, rejectedUpgrade, WebSocketTail } from '../../support/receivers/tail-protocols.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { logplexBody, octetCounted, postLogs, pushLines, TIME } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** [query, the messages that it finds]. */
const SEARCHES: [string, string[]][] = [
  ['status:>=500', ['router 503', 'json 500']],
  ['status:200', ['router 200']],
  ['status:(200 503) -path:/slow', ['router 200']],
  ['service:>1s', ['router 503']],
  ['bytes:<10kb method:*', ['router 200']],
  ['source:router', ['router 200', 'router 503']],
  ['program:heroku/router', ['router 200', 'router 503']],
  ['dyno:worker', ['worker']],
  ['program:(worker OR postgres)', ['worker', 'sd']],
  ['user.id:7', ['json 500', 'ndjson', 'otlp']],
  ['user.id:70', []],
  ['order.id:o-77', ['ndjson', 'sd', 'otlp']],
  ['o-77', ['ndjson', 'sd', 'otlp']],
  ['-o-77 -router', ['json 500', 'worker']],
  ['host:db-1', ['sd']],
  ['sender:db-1 order.id:*', ['sd']],
  ['severity:error', ['router 503', 'json 500', 'sd']],
  ['severity:crit', ['sd']],
  ['facility:local0', ['sd']],
  ["'could not' OR -(router OR 'json 500' OR sd)", ['worker', 'ndjson', 'otlp']],
  ['message:"COULD NOT"', ['worker']],
  ['/worker|sd/ -/^sd/', ['worker']],
  ['since:1h worker', ['worker']],
  ['since:2100-01-01', []],
  ['until:1h', []],
  ['until:2100-01-01 worker', ['worker']],
  ['tags:b', ['ndjson']],
];

describe.each(['embedded', 'Redis'])('with the %s store', (store) => {
  describe.skipIf(store === 'Redis' && !hasRedis)('a search', () => {
    let redis: RedisServer | undefined;
    let server: Server;
    let app: App;
    const auth = (): Record<string, string> => ({ authorization: `Bearer ${server.key}` });
    const names = (texts: readonly string[]): string[] =>
      texts.map((text) => /^(?:at=\w+ )?(?:\{"msg":")?((?:router|json) \d+|\w+)/.exec(text)?.[1] ?? text);

    const asJson = async (query: string): Promise<string[]> => {
      const url = `${server.url}/apps/${app.name}/logs?format=json&lines=100&q=${encodeURIComponent(query)}`;
      const answer = await fetch(url, { headers: auth() });
      const text = await answer.text();
      if (!answer.ok) throw new Error(text);
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line).message);
    };

    beforeAll(async () => {
      if (store === 'Redis') redis = await RedisServer.start();
      server = await startServer(redis ? { env: { REDIS_URL: redis.url } } : {});
      app = await server.createApp();
      const heroku = await server.tokenOf(app.name, 'heroku');
      const postgres = await server.addToken(app, 'postgres');
      const lines: [string, string][] = [
        [
          heroku,
          `<158>1 ${TIME} host t router - - router 200 method=GET path="/api" service=12ms status=200 bytes=1234`,
        ],
        [
          heroku,
          `<158>1 ${TIME} host t router - - at=error router 503 method=GET path="/slow" service=30000ms status=503 bytes=20480`,
        ],
        [
          app.token,
          `<190>1 ${TIME} host t web.1 - - {"msg":"json 500","level":"error","status":500,"user":{"id":7}}`,
        ],
        [app.token, `<190>1 ${TIME} host t worker.1 - - worker: Error: could not connect`],
      ];
      for (const [token, line] of lines)
        expect((await postLogs(server, token, octetCounted(line))).status).toBe(204);
      const ndjson = { message: 'ndjson', order: { id: 'o-77' }, user: { id: 7 }, tags: ['a', 'b'] };
      const posted = await postLogs(server, app.token, `${JSON.stringify(ndjson)}\n`, {
        'content-type': 'application/x-ndjson',
      });
      expect(posted.status, posted.text).toBeLessThan(300);
      const sd = `<130>1 ${TIME} db-1 t - - [shop@32473 order.id="o-77"] sd`;
      expect((await postLogs(server, postgres, octetCounted(sd))).status).toBe(204);
      const attribute = (key: string, value: object): object => ({ key, value });
      const logRecord = {
        body: { stringValue: 'otlp' },
        attributes: [attribute('order.id', { stringValue: 'o-77' }), attribute('user.id', { intValue: '7' })],
      };
      const otlp = await fetch(`${server.url}/v1/logs`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`token:${app.token}`).toString('base64')}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [logRecord] }] }] }),
      });
      expect(otlp.status, await otlp.text()).toBe(200);
    });
    afterAll(async () => {
      await server?.close();
      await redis?.remove();
    });

    it.each(SEARCHES)('for %j finds %j', async (query, wanted) => {
      expect(names(await asJson(query)).sort()).toEqual([...wanted].sort());
    });

    it('finds the same over a WebSocket and as events', async () => {
      const q = `q=${encodeURIComponent('status:>=500 -(json OR nothing)')}`;
      const socket = new WebSocketTail(`${server.url}/apps/${app.name}/tail?tail=false&${q}`, {
        headers: auth(),
      });
      expect(await socket.untilClosed()).toBe(1000);
      expect(names(socket.messageTexts)).toEqual(['router 503']);
      const events = await new EventStreamTail().open(`${server.url}/apps/${app.name}/logs?${q}`, auth());
      await until('the end of the events', () => events.hasEnded);
      expect(events.lines).toHaveLength(1);
    });

    it('goes on with what comes', async () => {
      const own = await server.createApp();
      const q = encodeURIComponent('(took:>1s OR code:H12) -path:/health since:1m');
      const tail = new WebSocketTail(`${server.url}/apps/${own.name}/tail?lines=10&q=${q}`, {
        headers: auth(),
      });
      await until('the tail is live', () => tail.messages.some(({ live }) => live === true));
      for (let i = 0; i < 5; i++)
        await pushLines(server, own.token, [
          `n=${i} took=20ms`,
          `n=${i} took=2s path=/a`,
          `n=${i} took=2s path=/health`,
          `n=${i} code=H12`,
        ]);
      await until('all of them', () => tail.messageTexts.length >= 10);
      expect(tail.messageTexts).toEqual(
        Array.from({ length: 5 }, (_, i) => [`n=${i} took=2s path=/a`, `n=${i} code=H12`]).flat(),
      );
      tail.socket.close();
    });

    it.each([
      ['(a', /q: the parenthesis at character 1 isn't closed/],
      ['status:>x', /status:> takes a number/],
      ['severity:loud', /severity: takes emerg, alert/],
      ['a OR', /\\?"OR\\?" at character 3 has nothing behind it/],
      ['since:soon', /since: at character 1: .*soon.* is no time/],
    ])('that can’t be read, %j, is refused with a sentence', async (query, why) => {
      await expect(asJson(query)).rejects.toThrow(why);
      const url = `${server.url}/apps/${app.name}/tail?q=${encodeURIComponent(query)}`;
      const refused = await rejectedUpgrade(url, auth());
      expect(refused.status).toBe(422);
      expect(refused.body).toMatch(why);
    });

    it('that ends in the past can’t wait for what comes', async () => {
      const refused = await rejectedUpgrade(`${server.url}/apps/${app.name}/tail?q=until:1h`, auth());
      expect(refused.status).toBe(422);
      expect(refused.body).toMatch(/until ends before what is still to come/);
    });

    it('looks through long streams, whatever is in between', async () => {
      const own = await server.createApp();
      for (let i = 0; i < 20; i++) {
        const hay = Array.from(
          { length: 1_000 },
          (_, k) => `hay ${i * 1_000 + k} status=200 ${'x'.repeat(200)}`,
        );
        if (i % 7 === 3) hay.splice(500, 0, `needle ${i} status=500`);
        expect((await postLogs(server, own.token, logplexBody(hay))).status).toBe(204);
      }
      const wanted = ['needle 3 status=500', 'needle 10 status=500', 'needle 17 status=500'];
      for (const query of [
        'needle',
        'NEEDLE -hay',
        'status:500',
        'status:>=500',
        'zzz OR needle',
        '/ne+dle/',
      ])
        expect(await server.readMessages(own, `lines=10&q=${encodeURIComponent(query)}`), query).toEqual(
          wanted,
        );
      expect(await server.readMessages(own, 'first=1&q=needle')).toEqual(wanted.slice(0, 1));
    });
  });
});
