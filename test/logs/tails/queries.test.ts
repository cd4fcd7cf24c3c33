/** One stream, asked in every way: the same query gives the same lines over WebSockets, events and text. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventStreamTail, rejectedUpgrade, WebSocketTail } from '../../support/receivers/tail-protocols.ts';
import { octetCounted, postLogs, TIME } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
let app: App;

/** [priority, source, dyno, message]; their positions count from 1. */
const LINES: [number, 'app' | 'heroku', string, string][] = [
  [190, 'app', 'web.1', 'Started GET /api/users for 10.0.0.1'],
  [190, 'app', 'web.2', 'level=warn msg="could not connect" host=db'],
  [158, 'heroku', 'router', 'at=info method=GET path="/api/users" status=200'],
  [190, 'app', 'webhook.1', 'ERROR: timeout, could  not connect'],
  [158, 'heroku', 'router', 'at=error code=H12 method=GET path="/slow" status=503'],
  [187, 'app', 'worker.1', 'a severity of its own'],
  [190, 'app', 'web.1', 'Grüße, ÄRGER und 🎉'],
  [191, 'app', 'worker.1', 'chatter "quoted" back\\slash'],
  [190, 'app', 'web.10', 'at the end\nof two lines'],
];

beforeAll(async () => {
  server = await startServer();
  app = await server.createApp();
  const tokens = { app: app.token, heroku: await server.tokenOf(app.name, 'heroku') };
  for (const [priority, source, dyno, message] of LINES) {
    const bytes = octetCounted(`<${priority}>1 ${TIME} host ${tokens[source]} ${dyno} - - ${message}`);
    const { status } = await postLogs(server, tokens[source], bytes);
    expect(status).toBe(204);
  }
});
afterAll(() => server.close());

const auth = (): Record<string, string> => ({ authorization: `Bearer ${server.key}` });
const messages = (lines: readonly string[]): string[] =>
  lines.map((line) => line.slice(line.indexOf(']: ') + 3));

async function overSocket(query: string): Promise<string[]> {
  const url = `${server.url}/apps/${app.name}/tail?tail=false&${query}`;
  const tail = new WebSocketTail(url, { headers: auth() });
  expect(await tail.untilClosed()).toBe(1000);
  return tail.messageTexts;
}

async function overEvents(query: string): Promise<string[]> {
  const tail = await new EventStreamTail().open(`${server.url}/apps/${app.name}/logs?${query}`, auth());
  await until('the end of the events', () => tail.hasEnded);
  // An event has the lines of many messages: the following lines of one are indented.
  return messages(
    tail.lines
      .join('\n')
      .split(/\n(?! )/)
      .filter(Boolean),
  );
}

async function overText(query: string): Promise<string[]> {
  const answer = await fetch(`${server.url}/apps/${app.name}/logs?${query}`, { headers: auth() });
  return messages((await answer.text()).split(/\n(?! )/).filter(Boolean));
}

async function overJson(query: string): Promise<string[]> {
  const url = `${server.url}/apps/${app.name}/logs?format=json&${query}`;
  const text = await (await fetch(url, { headers: auth() })).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).message);
}

/** Queries, and the positions of the lines they give. */
const QUERIES: [string, number[]][] = [
  ['', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ['lines=2', [8, 9]],
  ['lines=0', []],
  ['first=2', [1, 2]],
  ['after=7', [8, 9]],
  ['after=7&lines=1', [8, 9]],
  ['after=0', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ['after=5&first=2', [6, 7]],
  ['after=9', []],
  ['before=3', [1, 2]],
  ['before=5&lines=2', [3, 4]],
  ['before=1', []],
  ['after=2&before=5', [3, 4]],
  ['source=heroku', [3, 5]],
  ['source=heroku,app&lines=3', [7, 8, 9]],
  ['source=her', []],
  ['dyno=web', [1, 2, 7, 9]],
  ['dyno=web.1', [1, 7]],
  ['dyno=web.1,router', [1, 3, 5, 7]],
  ['dyno=web&lines=2', [7, 9]],
  ['dyno=web&before=9&lines=2', [2, 7]],
  ['level=error', [4, 5, 6]],
  ['level=warn', [2, 4, 5, 6]],
  ['level=info', [1, 2, 3, 4, 5, 6, 7, 9]],
  ['level=debug', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ['level=error&source=app&lines=1', [6]],
  ['q=CONNECT', [2, 4]],
  ['q=could%20connect', [2, 4]],
  ['q=%22could%20not%20connect%22', [2]],
  ['q=connect%20-warn', [4]],
  ['q=-connect%20-at', [1, 6, 7]],
  ['q=/api/users', [1, 3]],
  ['q=%2Fstatus%3D5%5Cd%5Cd%2F', [5]],
  ['q=%2FERR%2F', [4]],
  ['q=%2Ferr%2Fi', [4, 5]],
  ['q=-%2F%5BA-Z%5D%7B3%7D%2F', [2, 6, 8, 9]],
  ['q=%C3%A4rger', [7]],
  ['q=%F0%9F%8E%89', [7]],
  ['q=%22quoted%22', [8]],
  ['q=back%5Cslash', [8]],
  ['q=of%20two', [9]],
  ['q=nowhere', []],
  ['q=connect&first=1', [2]],
  ['q=get&before=5&lines=1', [3]],
  ['since=1h', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ['since=1h&lines=2', [8, 9]],
  ['since=2100-01-01T00:00:00Z', []],
  ['until=1h', []],
  ['until=2100-01-01T00:00:00Z&lines=1', [9]],
];

const WAYS = { overSocket, overEvents, overText, overJson };

describe.each(QUERIES)('%j', (query, positions) => {
  it.each(Object.entries(WAYS))('gives its lines %s', async (name, ask) => {
    const wanted = positions.map((position) => LINES[position - 1][3]);
    const shown = name === 'overJson' ? wanted : wanted.map((text) => text.replace('\n', '\n    '));
    expect(await ask(query)).toEqual(shown);
  });
});

it('gives every field as JSON', async () => {
  const url = `${server.url}/apps/${app.name}/logs?format=json&before=5&lines=1`;
  const answer = await fetch(url, { headers: auth() });
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
  expect(JSON.parse(await answer.text())).toEqual({
    position: '4',
    timestamp: TIME,
    facility: 23,
    severity: 6,
    level: 'error',
    hostname: 'host',
    source: 'app',
    dyno: 'webhook.1',
    message: 'ERROR: timeout, could  not connect',
  });
});

it.each([
  ['lines=-1', /lines must be a number/],
  ['lines=x', /lines must be a number/],
  ['lines=1&first=1', /use one/],
  ['after=x', /after must be a position/],
  ['before=1.5', /before must be a position/],
  ['since=soon', /since: .*soon.* is no time: write/],
  ['until=5', /until: .*5.* has no unit: write 5s/],
  ['level=loud', /level must be one of error, warn, info, debug/],
  ['format=xml', /format must be text or json/],
  ['tail=maybe', /tail must be true or false/],
  ['tail=true&before=5', /before ends before what is still to come/],
  ['tail=true&until=1h', /until ends before what is still to come/],
  ['q=%2F(%2F', /not a regular expression/],
  ['q=%2F(%3F%3Da)%2F', /not a regular expression/],
  [`q=${'a'.repeat(1_001)}`, /1000 characters/],
  [`q=${'a%20'.repeat(21)}`, /20 terms/],
  [`q=%2F${'a'.repeat(251)}%2F`, /has 251 characters: it may have 250/],
])('refuses %j, and says why', async (query, why) => {
  const answer = await fetch(`${server.url}/apps/${app.name}/logs?${query}`, { headers: auth() });
  expect(answer.status).toBe(422);
  expect(await answer.text()).toMatch(why);
  const refused = await rejectedUpgrade(`${server.url}/apps/${app.name}/tail?${query}`, auth());
  expect(refused.status).toBe(422);
  expect(refused.body).toMatch(why);
});

it('refuses a parameter that comes twice', async () => {
  const answer = await fetch(`${server.url}/apps/${app.name}/logs?q=a&q=b`, { headers: auth() });
  expect(answer.status).toBe(422);
  const refused = await rejectedUpgrade(`${server.url}/apps/${app.name}/tail?q=a&q=b`, auth());
  expect(refused).toMatchObject({ status: 422, body: expect.stringMatching(/q must be given once/) });
});
