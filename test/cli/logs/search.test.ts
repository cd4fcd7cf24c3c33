/** Searches from the command line. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { pushLines } from '../../support/senders/send-lines.ts';
import { type Server, startServer } from '../../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
  const shop = await server.createApp('shop');
  const blog = await server.createApp('blog');
  await pushLines(server, shop.token, [
    'status=200 shop',
    'status=500 shop',
    '{"user":{"id":7},"msg":"shop"}',
  ]);
  await pushLines(server, blog.token, ['status=503 blog', 'blog (a) "b"']);
});
afterAll(() => server.close());

const logs = (...args: string[]): ReturnType<typeof runTailrace> =>
  runTailrace(['logs', ...args], { env: server.env });
const shown = (stdout: string): string[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.slice(line.indexOf(']: ') + 3));

it.each([
  [['-q', 'status:>=500'], ['status=500 shop']],
  [
    ['-q', 'user.id:7 OR status:200'],
    ['status=200 shop', '{"user":{"id":7},"msg":"shop"}'],
  ],
  [['-q', 'since:1h shop -status:*'], ['{"user":{"id":7},"msg":"shop"}']],
  [['-q', 'until:1h'], []],
  [['-q', 'until:2100-01-01 status:500'], ['status=500 shop']],
  [['-q', 'program:web.1', '-n', '1'], ['{"user":{"id":7},"msg":"shop"}']],
  [
    ['-q', ''],
    ['status=200 shop', 'status=500 shop', '{"user":{"id":7},"msg":"shop"}'],
  ],
])('logs %j', async (args, wanted) => {
  const { status, stdout, stderr } = await logs('-a', 'shop', ...args);
  // What shows nothing says why.
  expect(stderr).toMatch(wanted.length > 0 ? /^$/ : /^ › {3}No lines match -q/);
  expect(status).toBe(0);
  expect(shown(stdout)).toEqual(wanted);
});

it.each([
  [
    'status>=500',
    /^ › {3}No lines match -q status>=500\. A field is compared with a colon: status:>=500\.\n$/,
  ],
  ['since:1h until:2h', /^ › {3}No lines: the range ends before it begins\.\n$/],
])('logs -q %j: why nothing is found', async (q, said) => {
  expect((await logs('-a', 'shop', '-q', q)).stderr).toMatch(said);
});

it('logs --all searches all apps', async () => {
  const { status, stdout } = await logs('--all', '-q', 'status:>=500');
  expect(status).toBe(0);
  expect(shown(stdout).sort()).toEqual(['status=500 shop', 'status=503 blog']);
});

it.each([
  ['(a', /--query: the parenthesis at character 1 isn't closed/],
  ['status:>', /status:> has nothing behind it/],
  ['since:5', /since: at character 1: "5" has no unit: write 5s/],
  [
    'a "b c" /x(/',
    /--query: \/x\(\/ is not a regular expression: at character 11, "\(" isn't closed: add "\)", or write \\\( for the parenthesis itself\./,
  ],
  ['since:1h path:/[/', /--query: .* at character 16, "\[" isn't closed/],
])('a search that can’t be read, %j, is said in a sentence', async (query, why) => {
  for (const args of [['-a', 'shop'], ['--all']]) {
    const { status, stdout, stderr } = await logs(...args, '-q', query);
    expect(status).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(why);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  }
});
