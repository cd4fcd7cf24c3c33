/** Isolated dynos (bubblewrap): what they see of the machine and of each other, and how they stop. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn as spawnPty } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fetchFromApp, GitRepository, WEB_SOURCE } from '../../support/git-repository.ts';
import { missing, runTailrace, TAILRACE } from '../../support/program.ts';
import { dataFolderForTest, type Server, spawnServer, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const APP = 'apart';
let server: Server;

beforeAll(async () => {
  server = await startServer({ env: { TAILRACE_ISOLATION: 'bubblewrap' } });
});
afterAll(() => server?.close());

const t = (...args: string[]) => runTailrace(args, { env: server.env });
const lines = () => server.readLines({ id: '', name: APP, token: '' });

describe.skipIf(missing('bwrap', 'openssl'))('an isolated dyno', () => {
  it('serves requests, and logs', async () => {
    const repository = new GitRepository(server, {
      Procfile: [
        'web: echo to stderr >/dev/stderr; exec node web.cjs',
        "worker: trap 'echo goodbye; exit 3' TERM; setsid sleep 1000 & echo ready; wait",
        // It opens its input anew: the FIFO's own place is hidden from it.
        `talk: while true; do printf 'name? '; read -r name </dev/stdin || exit 4; echo "hello $name"; done`,
        'release: touch ../../released && echo migrated',
        '',
      ].join('\n'),
      'web.cjs': WEB_SOURCE,
      'version.txt': 'one\n',
      'bin/bwrap': `#!/bin/sh\necho >>'${server.data}/escaped'\n`,
      'bin/nsenter': `#!/bin/sh\necho >>'${server.data}/escaped'\n`,
    });
    await repository.tailrace('create', APP);
    const pushed = await repository.push();
    expect(pushed.stderr).toMatch(/remote: {8}migrated/);
    expect(pushed.status).toBe(0);
    expect((await fetchFromApp(server, APP)).version).toBe('one');
    expect((await lines()).some((line) => / app\[web\.1\]: to stderr$/.test(line))).toBe(true);
    // What it wrote outside of its own folder is in no folder of the machine.
    expect(existsSync(join(server.data, 'host', 'released'))).toBe(false);
  });

  it('sees neither the server’s data, nor others’ files and processes, and can’t change the system', async () => {
    const run = async (command: string) => (await t('run', '-a', APP, command)).stdout.trim();
    const { home } = await fetchFromApp(server, APP);
    // One pipe for both, so that their output keeps its order.
    expect(
      await run(`exec 2>&1; cat '${server.data}/key'; ls '${server.data}/host/dynos' | wc -l; ls '${home}'`),
    ).toMatch(/No such file[\s\S]*\n1\n[\s\S]*No such file/);
    expect(await run('touch /etc/tailrace-was-here')).toMatch(/Read-only file system/);
    // Its shell, the first process of its namespace, and the one that lists them.
    expect(Number(await run('ls -d /proc/[0-9]* | wc -l'))).toBeLessThan(6);
    expect(await run(`kill -9 ${server.program.pid}`)).toMatch(/No such process/);
    expect(await run('ls /root /home /tmp /run 2>/dev/null | grep -v : | wc -w')).toMatch(/^[0-3]$/);
    expect(await run('echo kept >file; cat file; echo $TMPDIR; touch $TMPDIR/x && echo writable')).toMatch(
      /^kept\n\/\S+\/tmp\nwritable$/,
    );
    expect((await t('run', '-a', APP, 'exit 9')).status).toBe(9);
  });

  it('has no open file of the server, and what starts its sandbox is not what its config vars make of it', async () => {
    const odd = `it's "$(id)" \`id\` \\ %s\n\u00fc\u{1f600}\n`;
    const config = {
      // What the loader of a program outside would do.
      LD_DEBUG: 'files',
      LD_DEBUG_OUTPUT: join(server.data, 'loaded'),
      // And a shell.
      BASH_ENV: './bin/bwrap',
      PATH: `./bin:${process.env.PATH}`,
      ODD: odd,
      QUOTES: "'".repeat(60_000),
      UID: '0',
    };
    await server.request('PATCH', `/apps/${APP}/config-vars`, config);
    const files =
      'ls -l /proc/self/fd | grep store; printf %s "$ODD" | base64 -w0; printf %s "$QUOTES" | wc -c';
    const expected = `${Buffer.from(odd).toString('base64')}60000`;
    expect((await t('run', '-a', APP, files)).stdout.trim()).toBe(expected);
    const inTerminal = spawnPty(process.execPath, [TAILRACE, 'run', '-a', APP, files], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TERM: 'xterm', ...server.env },
    });
    let shown = '';
    inTerminal.onData((text) => {
      shown += text;
    });
    await new Promise((resolve) => inTerminal.onExit(resolve));
    expect(shown.trim().split('\r\n').at(-1)).toBe(expected);
    await until('the web dyno', () => fetchFromApp(server, APP).catch(() => undefined));
    expect((await t('ps:exec', 'web.1', '-a', APP, '--', files)).stdout.trim()).toBe(expected);
    expect(readdirSync(server.data).filter((name) => /^(loaded|escaped)/.test(name))).toEqual([]);
    const none = Object.fromEntries(Object.keys(config).map((name) => [name, null]));
    await server.request('PATCH', `/apps/${APP}/config-vars`, none);
  });

  it('can be attached to: what it says before its line is whole, what is typed, and its end', async () => {
    await t('scale', 'talk=1', '-a', APP);
    const { PATH, HOME } = process.env;
    const terminal = spawnPty(process.execPath, [TAILRACE, 'attach', 'talk.1', '-a', APP], {
      env: { PATH, HOME, TERM: 'xterm', ...server.env },
    });
    onTestFinished(() => terminal.kill('SIGKILL'));
    let seen = '';
    terminal.onData((text) => {
      seen += text;
    });
    const status = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
    await until('the prompt', () => /Attached to talk\.1[\s\S]*name\? $/.test(seen));
    for (const name of ['anna', 'bob']) {
      terminal.write(`${name}\r`);
      await until('the answer', () => seen.includes(`hello ${name}\r\nname? `));
    }
    await until('its line', async () =>
      (await lines()).some((line) => / app\[talk\.1\]: name\? hello bob$/.test(line)),
    );
    await t('scale', 'talk=0', '-a', APP);
    expect(await status).toBe(0);
    expect(seen).toContain('talk.1 has ended.');
  });

  it('gets SIGTERM, logs its exit status, and leaves no process behind', async () => {
    await t('scale', 'worker=1', '-a', APP);
    await until('its line', async () =>
      (await lines()).some((line) => / app\[worker\.1\]: ready$/.test(line)),
    );
    const { id } = await server.request<{ id: string }>('GET', `/apps/${APP}/dynos/worker.1`);
    expect(environments().filter((text) => text.includes(`\0HEROKU_DYNO_ID=${id}\0`)).length).toBeGreaterThan(
      2,
    );
    // A command inside of it is among its processes, hidden from the others, without privileges.
    const inside = async (command: string) =>
      (await t('ps:exec', 'worker.1', '-a', APP, '--', `exec 2>&1; ${command}`)).stdout.trim();
    expect(await inside('grep -al "sleep.1000" /proc/[0-9]*/cmdline | wc -l')).toMatch(/^[1-9]/);
    expect(await inside('pwd; cat version.txt')).toMatch(new RegExp(`${id}[\\s\\S]*\\none$`));
    expect(await inside(`cat '${server.data}/key'; kill -9 ${server.program.pid}; umount /tmp`)).toMatch(
      /No such file[\s\S]*No such process[\s\S]*(?:superuser|not permitted)/,
    );
    expect(await inside('grep ^CapEff /proc/self/status')).toMatch(/0000000000000000$/);
    await t('scale', 'worker=0', '-a', APP);
    const own = await until('its end', async () => {
      const all = (await lines()).filter((line) => /\[worker\.1\]: /.test(line));
      return (
        all.some((line) => /Process exited/.test(line)) &&
        all.map((line) => line.slice(line.indexOf(']: ') + 3))
      );
    });
    expect(own.slice(own.indexOf('Stopping all processes with SIGTERM'))).toEqual([
      'Stopping all processes with SIGTERM',
      'goodbye',
      'Process exited with status 3',
    ]);
    // Its daemon had left the process group, but not the namespace.
    await until('no daemon', () => !environments().some((text) => text.includes(`\0HEROKU_DYNO_ID=${id}\0`)));
  });
});

/** Of every process on this machine. */
function environments(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
      } catch {
        return '';
      }
    });
}

it('a server whose dynos can’t be isolated doesn’t start', async () => {
  const { exited: ended } = spawnServer(dataFolderForTest(), {
    env: { TAILRACE_ISOLATION: 'bubblewrap', PATH: dataFolderForTest() },
  });
  const { status, stderr } = await ended;
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /TAILRACE_ISOLATION is "bubblewrap", but that doesn't work here .*install bubblewrap/,
  );
});
