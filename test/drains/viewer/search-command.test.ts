/** `viewer search` in the terminal: as grep, and as `tail -f`. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type ExitResult, Program, runProgram } from '../../support/program.ts';
import { numberedMessages, octetCounted, postLogs } from '../../support/senders/send-lines.ts';
import { startViewer, VIEWER, VIEWER_KEY, type Viewer } from '../../support/viewer/viewer.ts';

let viewer: Viewer;
let tokens: Record<string, string>;
beforeAll(async () => {
  viewer = await startViewer();
  const group = await viewer.createGroup('shop');
  const [web, worker] = [await viewer.createStream(group, 'web'), await viewer.createStream(group, 'worker')];
  await viewer.createGroup('empty');
  tokens = { web: web.token, worker: worker.token };
  await send('web', 'GET /pay status=500', 'GET / status=200');
  await send('worker', 'job failed');
});
afterAll(async () => {
  await viewer?.kill();
  rmSync(viewer.data, { recursive: true, force: true });
});

let minute = 0;
async function send(stream: string, ...messages: string[]): Promise<void> {
  await postLogs(viewer, tokens[stream], Buffer.concat(messages.map(line)));
}

function line(text: string): Buffer {
  const time = new Date(Date.UTC(2026, 0, 1, 0, minute++)).toISOString().replace('.000Z', '+00:00');
  return octetCounted(`<190>1 ${time} host app web.1 - - ${text}`);
}

const env = (): Record<string, string> => ({ VIEWER_URL: viewer.url, VIEWER_KEY });
const search = (...args: string[]): Promise<ExitResult> =>
  runProgram(process.execPath, [VIEWER, 'search', ...args], { env: env() });

it('prints what is found, oldest first, and ends as grep does', async () => {
  expect(await search('status:>=200')).toEqual({
    status: 0,
    stdout:
      'web 2026-01-01T00:00:00+00:00 app[web.1]: GET /pay status=500\nweb 2026-01-01T00:01:00+00:00 app[web.1]: GET / status=200\n',
    stderr: '',
  });
  expect(await search('status:500', '--stream', 'web')).toMatchObject({
    status: 0,
    stdout: '2026-01-01T00:00:00+00:00 app[web.1]: GET /pay status=500\n',
  });
  expect(await search('-n', '1', '-g', 'SHOP')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^worker .*job failed\n$/),
  });
  expect(await search('--json', 'job', 'failed')).toMatchObject({ status: 0 });
  expect(JSON.parse((await search('--json', 'job')).stdout)).toMatchObject({
    message: 'job failed',
    source: 'app',
  });
  expect(await search('--count', '-s', 'web')).toEqual({ status: 0, stdout: '2\n', stderr: '' });
  expect(await search('-c', '--json', 'status:200', '--since', '2h')).toEqual({
    status: 1,
    stdout: '{"count":0}\n',
    stderr: '',
  });
  expect(await search('nowhere')).toEqual({ status: 1, stdout: '', stderr: '' });
  expect(await search('-g', 'empty')).toMatchObject({ status: 1 });
  expect(await search('--since', '2026-01-01T00:02:00Z', '--until', '2026-01-01T00:03:00Z')).toMatchObject({
    stdout: expect.stringMatching(/^worker .*\n$/),
  });
  expect((await search('--', '-status:200')).stdout.split('\n')).toHaveLength(3);
  await postLogs(
    viewer,
    tokens.worker,
    Buffer.concat(
      ['TypeError: no order', '    at find (shop.js:7:1)', '    at serve (shop.js:9:1)'].map((text) =>
        octetCounted(`<190>1 2025-12-31T00:00:00+00:00 host app job.1 - - ${text}`),
      ),
    ),
  );
  const trace = '2025-12-31T00:00:00+00:00 app[job.1]: TypeError: no order\n';
  expect(await search('no', 'order', '-s', 'worker')).toMatchObject({ status: 0, stdout: trace });
  expect((await search('-e', '-n', '1', 'shop.js:9', '-s', 'worker')).stdout).toMatch(
    new RegExp(`^${trace.replace(/[[\].+]/g, '\\$&')}.*find.*\n.*serve.*\n$`),
  );
});

it('takes the address of an add-on, which has the key in it, and shows that to nobody', async () => {
  const address = new URL(viewer.url);
  address.username = 'key';
  address.password = VIEWER_KEY;
  const ask = (url: string): Promise<ExitResult> =>
    runProgram(process.execPath, [VIEWER, 'search', 'job failed'], { env: { VIEWER_URL: url } });
  expect(await ask(address.href)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/job failed\n$/),
  });
  address.port = '1';
  const { status, stderr } = await ask(address.href);
  expect([status, stderr]).toEqual([2, expect.stringContaining('There is no viewer at http://127.0.0.1:1/')]);
  expect(stderr).not.toContain(VIEWER_KEY);
});

it('says in one sentence what is wrong, with the exit code 2', async () => {
  const wrong: [string[], RegExp][] = [
    [['('], /parenthesis at character 1/],
    [['-g', 'nothing'], /There is no group nothing: there is default, empty, shop\./],
    [['--url', 'http://127.0.0.1:1'], /There is no viewer at http:\/\/127\.0\.0\.1:1\//],
    [['--key', 'wrong'], /key isn't valid/],
    [['--follow', '--until', '1h'], /--until ends before/],
    [['--count', '--follow'], /--count counts lines that are kept/],
    [['--bogus'], /Unknown option '--bogus'\.\n {5}Usage: viewer search \[options\] \[query\.\.\.\]\n$/],
    [['--strem', 'a'], /Unknown option '--strem'\. Did you mean --stream\?\n/],
    [['-n', 'x'], /Option '-n, --lines <number>' argument 'x' is invalid\./],
  ];
  for (const [args, sentence] of wrong) {
    const { status, stdout, stderr } = await search(...args);
    expect([args, status, stdout, stderr]).toEqual([args, 2, '', expect.stringMatching(sentence)]);
    expect(stderr).toMatch(/^ › {3}Error: \S/);
    expect(stderr).not.toMatch(/\n {4}at /);
  }
});

it('--follow goes on with what comes, also over the viewer’s end by kill -9', async () => {
  const { url } = viewer;
  const follow = new Program(
    process.execPath,
    [VIEWER, 'search', 'numbered', '-n', '1', '-s', 'web', '--follow'],
    { env: env() },
  );
  await send('web', 'numbered 0');
  await follow.waitForOutput(/numbered 0\n/);
  await send('web', 'other', 'numbered 1');
  await follow.waitForOutput(/numbered 1\n/);
  await viewer.kill();
  viewer = await startViewer({
    data: viewer.data,
    env: { VIEWER_HTTP_PORT: new URL(url).port, VIEWER_SEARCH_TIME: '1ms' },
  });
  await send('web', 'numbered 2');
  await follow.waitForOutput(/numbered 2\n/);
  await follow.stop('SIGTERM');
  const numbers = follow.stdout.match(/numbered \d/g);
  expect(numbers).toEqual(['numbered 0', 'numbered 1', 'numbered 2']);
  // Who waits for lines is told that none can come.
  expect(follow.stderr).toMatch(/^ › {3}connection lost \(.+\); reconnecting\n › {3}connected again\n$/);
});

it('--count says that not all were counted when there was no time for that', async () => {
  const many = await viewer.createGroup('many');
  for (let i = 0; i < 8; i++) {
    const { token } = await viewer.createStream(many, `stream ${i}`);
    await postLogs(viewer, token, Buffer.concat(numberedMessages(2_000, 'message').map(line)));
  }
  // Each of them is more than a millisecond's work, and they aren't all looked at at the same time.
  const partial = await search('-c', '-g', 'many', '/m.*e.*s.*s.*a.*g.*e/');
  expect(partial.stderr).toMatch(/^ › {3}not all lines were counted/);
  expect(Number(partial.stdout)).toBeLessThan(16_000);
  expect(partial.status).toBe(Number(partial.stdout) > 0 ? 0 : 2);
  const json = await search('-c', '--json', '-g', 'many', '/m.*e.*s.*s.*a.*g.*e/');
  expect(JSON.parse(json.stdout)).toEqual({ count: expect.any(Number), partial: true });
  // Lines are found all the same: a search goes on where it stopped.
  expect((await search('-n', '20000', '-g', 'many')).stdout.match(/\n/g)).toHaveLength(16_000);
});

it('what reads it may stop: no complaint, as with head', async () => {
  const { status, stdout, stderr } = await runProgram(
    'bash',
    ['-c', '"$0" "$1" search -n 100 | head -1', process.execPath, VIEWER],
    { env: env() },
  );
  expect([status, stderr, stdout.split('\n').length]).toEqual([0, '', 2]);
});

it('says how a search that finds nothing is written here, when it looks like one of elsewhere', async () => {
  expect(await search('status: 500')).toEqual({
    status: 1,
    stdout: '',
    stderr: ' ›   A value stands right behind the colon: status:500.\n',
  });
  expect(await search('nowhere')).toEqual({ status: 1, stdout: '', stderr: '' });
});

it('--follow ends when what reads it has, also while no other line comes', async () => {
  const program = new Program(
    'bash',
    [
      '-c',
      `"$0" "$1" search -n 2 --follow | head -1; echo "ended \${PIPESTATUS[0]}"`,
      process.execPath,
      VIEWER,
    ],
    { env: env() },
  );
  onTestFinished(async () => {
    await program.stop('SIGKILL');
  });
  await program.waitForOutput(/ended 0/);
  expect(program.stderr).toBe('');
});

it('`--help` names every setting; one that is none, or can’t be read, is refused', async () => {
  const help = await runProgram(process.execPath, [VIEWER, '--help']);
  expect(help).toMatchObject({ status: 0, stderr: '' });
  for (const name of ['--http-port', 'VIEWER_TLS_CERT', 'VIEWER_API_KEY', 'search [options]'])
    expect(help.stdout).toContain(name);
  expect(help.stdout).not.toContain('--api-key');
  const starts: [Record<string, string>, string[], RegExp][] = [
    [{ VIEWER_HTPP_PORT: '1' }, [], /There is no setting VIEWER_HTPP_PORT: did you mean VIEWER_HTTP_PORT\?/],
    [{}, ['--http-port', new URL(viewer.url).port], /Port \d+ is taken.*VIEWER_HTTP_PORT/],
    [{}, ['--syslog-port', String(viewer.syslogPort)], /Port \d+ is taken.*VIEWER_SYSLOG_PORT/],
    [{ VIEWER_TLS_CERT: VIEWER, VIEWER_TLS_KEY: VIEWER }, [], /no certificate and key that belong together/],
    [{}, ['nonsense'], /^ › {3}Error: There is no command nonsense: there are search, /],
  ];
  const folder = `${viewer.data}-refused`;
  for (const [given, args, sentence] of starts) {
    const defaults = { VIEWER_DATA: folder, VIEWER_HTTP_PORT: '0', VIEWER_SYSLOG_PORT: '0' };
    const { status, stderr } = await runProgram(process.execPath, [VIEWER, ...args], {
      env: { ...defaults, ...given },
    });
    expect([given, args, status, stderr]).toEqual([given, args, 1, expect.stringMatching(sentence)]);
    expect(stderr).not.toMatch(/TAILRACE_|\n {4}at /);
  }
  rmSync(folder, { recursive: true, force: true });
});

it('reads times without a zone in its own, in options and in the search, and so does delete', async () => {
  const TZ = 'Pacific/Kiritimati'; // 14 hours ahead
  const run = (...args: string[]): Promise<ExitResult> =>
    runProgram(process.execPath, [VIEWER, ...args], { env: { ...env(), TZ } });
  // The two of the first minutes of the year (UTC).
  const [from, to] = ['2026-01-01 14:00', '2026-01-01 14:01'];
  const found = {
    status: 0,
    stdout: expect.stringMatching(/^web \S+ app\[web\.1\]: GET \/pay status=500\n$/),
  };
  expect(await run('search', '--since', from, '--until', to)).toMatchObject(found);
  expect(await run('search', `status:500 since:"${from}" until:"${to}"`)).toMatchObject(found);
  const one = { status: 0, stdout: 'Would delete 1 line.\n' };
  expect(await run('delete', '--dry-run', '-g', 'shop', '--from', from, '--to', to)).toMatchObject(one);
});
