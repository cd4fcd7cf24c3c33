/** The server's own log (TAILRACE_LOG_LEVEL): events by area, JSON for programs, text for people, no secrets. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startCounterApp } from '../../support/counter-app.ts';
import { Program, runProgram, TAILRACE } from '../../support/program.ts';
import { pushLines } from '../../support/senders/send-lines.ts';
import { dataFolderForTest, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

interface Event {
  readonly level: number;
  readonly area?: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

const events = (stderr: string): Event[] =>
  stderr
    .split('\n')
    .slice(0, -1)
    .map((line): Event => JSON.parse(line));

describe('the server’s own log', () => {
  it('has at debug what happens in each area, one JSON object an event, and no secrets', async () => {
    const server = await startServerForTest({ env: { TAILRACE_LOG_LEVEL: 'debug' } });
    const app = await server.createApp();
    const drain = await server.createDrain(app, 'http://user:hunter2@127.0.0.1:9/lines?api_key=s3cret');
    const stderr = (): string => server.program.stderr;
    const find = (area: string, pattern: RegExp): Promise<Event> =>
      until(`${area}: ${pattern}`, () =>
        events(stderr()).find((event) => event.area === area && pattern.test(event.msg)),
      );
    expect(await find('store', /opened/)).toMatchObject({
      level: 30,
      store: 'embedded',
      folder: server.data,
    });
    expect(await find('sources', /listening for syslog/)).toMatchObject({
      level: 30,
      port: server.syslogPort,
    });
    expect(await find('api', /listening for HTTP/)).toMatchObject({ level: 30 });
    expect(await find('api', /request answered/)).toMatchObject({
      level: 20,
      method: 'POST',
      route: '/apps',
      status: 201,
      ms: expect.any(Number),
    });
    expect(await find('drains', /worker started/)).toMatchObject({ level: 20, app: app.id, drain: drain.id });
    const socket = connect(server.syslogPort, '127.0.0.1');
    expect(await find('sources', /connection opened/)).toMatchObject({
      protocol: 'tcp',
      address: '127.0.0.1',
    });
    socket.end();
    await find('sources', /connection closed/);
    await pushLines(server, app.token, ['a line that goes nowhere']);
    expect(await find('drains', /L11|can't|refused|could not|Error/i)).toMatchObject({
      level: 30,
      app: app.id,
      drain: drain.id,
    });
    for (const secret of ['hunter2', 's3cret', app.token, server.key]) expect(stderr()).not.toContain(secret);
    const { status } = await server.program.stop('SIGTERM');
    expect(status).toBe(0);
    expect(events(stderr()).at(-1)).toMatchObject({ msg: 'server stopped' });
  });

  it('has at info no debug events, and at the default nothing while all is well', async () => {
    const [info, usual] = await Promise.all([
      startServerForTest({ env: { TAILRACE_LOG_LEVEL: 'info' } }),
      startServerForTest(),
    ]);
    for (const server of [info, usual]) {
      await server.createApp();
      await server.program.stop('SIGTERM');
    }
    expect(events(info.program.stderr).map(({ level }) => level)).not.toContain(20);
    expect(events(info.program.stderr).map(({ msg }) => msg)).toContain('server started');
    expect(usual.program.stderr).toBe('');
  });

  it('is text that people read under `tailrace start`', async () => {
    const { program } = await startCounterApp([], { TAILRACE_LOG_LEVEL: 'info' });
    await program.waitForOutput(/app\[web\.1\]: listening/);
    await until('the log', () => /INFO: sources: listening for syslog/.test(program.stderr));
    expect(program.stderr).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: store: store opened \{.*"store":"embedded"/m);
    expect(program.stderr).not.toMatch(/^\{/m);
  });
});

// Whatever is written to it fails as on a disk that is full.
describe.skipIf(!existsSync('/dev/full'))('output that can’t be written', () => {
  it('ends no server, neither its log nor what it prints', async () => {
    const server = await startServerForTest({
      env: { TAILRACE_LOG_LEVEL: 'debug' },
      shell: 'exec 2>/dev/full',
    });
    for (let i = 0; i < 3; i++) expect((await server.request<unknown[]>('GET', '/apps')).length).toBe(0);
    expect((await server.program.stop('SIGTERM')).status).toBe(0);

    const folder = dataFolderForTest();
    writeFileSync(join(folder, 'Procfile'), 'talk: while :; do echo x; sleep 0.1; done\n');
    const start = 'exec "$0" "$1" start >/dev/full 2>/dev/full';
    const env = {
      TAILRACE_HTTP_PORT: '0',
      TAILRACE_SYSLOG_PORT: '0',
      TAILRACE_ROUTER_PORT: '0',
      TAILRACE_LOG_LEVEL: 'debug',
    };
    const program = new Program('sh', ['-c', start, process.execPath, TAILRACE], { cwd: folder, env });
    const note = join(folder, '.tailrace', 'server.json');
    const { url } = await until('its address', () => {
      const found = existsSync(note) && JSON.parse(readFileSync(note, 'utf8'));
      return found && !found.isStarting && found;
    });
    const key = readFileSync(join(folder, '.tailrace', 'key'), 'utf8').trim();
    await until('lines of its dyno', async () => {
      const headers = { authorization: `Bearer ${key}` };
      const [app] = (await (await fetch(`${url}/apps`, { headers })).json()) as { name: string }[];
      const lines =
        app && (await (await fetch(`${url}/apps/${app.name}/logs?lines=100`, { headers })).text());
      return lines && lines.split('talk.1').length > 10;
    });
    expect((await program.stop('SIGTERM')).status).toBe(0);
  });

  it('is an error of a command that prints a result', async () => {
    const { status, stderr } = await runProgram('sh', [
      '-c',
      `exec "$0" "$1" help >/dev/full`,
      process.execPath,
      TAILRACE,
    ]);
    expect(stderr).toBe(" ›   Error: Standard output can't be written (ENOSPC): what is there isn't all.\n");
    expect(status).toBe(1);
  });
});
