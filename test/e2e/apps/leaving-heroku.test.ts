/**
 * docs/leaving-heroku.md, followed to the letter: every command of it, in its order, in one shell. In Heroku's place is a second server with an app
 * that has all that, and the official `heroku` command.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HerokuCli } from '../../support/heroku/heroku-cli.ts';
import { missing, runProgram, TAILRACE } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/leaving-heroku.md'), 'utf8');
const BLOCKS = [...PAGE.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block);
const WEB = `require('http').createServer((q, r) => {
  console.log('served ' + q.headers.host); r.end(JSON.stringify([process.env.STRIPE_KEY, q.headers]));
}).listen(process.env.PORT);\n`;
const FILES = { Procfile: 'web: node web.cjs\nworker: while true; do sleep 1; done\n', 'web.cjs': WEB };

let heroku: Server;
let here: Server;
let cli: HerokuCli;
let cliHere: HerokuCli;
let bridge: HttpServer;
beforeAll(async () => {
  [heroku, here] = await Promise.all([startServer(), startServer()]);
  cli = new HerokuCli(heroku, { HEROKU_DATA_HOST: 'localhost' });
  cliHere = new HerokuCli(here);
  // `heroku` in the shell is one of the two sessions: each start of the command takes a second.
  bridge = createServer(async (request, response) => {
    const [host, ...args] = (await text(request)).split('\0').slice(0, -1);
    const { status, stdout, stderr } = await (host.includes(new URL(here.url).port) ? cliHere : cli).run(
      args,
    );
    response.end(`${status}\n${status === 0 ? stdout.trimEnd() : stderr}`);
  });
  await new Promise<void>((resolve) => bridge.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  bridge?.close();
  cli?.close();
  cliHere?.close();
  await Promise.all([heroku?.close(), here?.close()]);
});

/** The app as it is there: pushed, with data in both databases. */
async function makeAppThere(): Promise<void> {
  const env = { ...heroku.env, HOME: cli.home };
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(cli.home, name), content);
  const run = (command: string): string =>
    execFileSync('bash', ['-ec', command], {
      cwd: cli.home,
      env: { ...process.env, ...env, GIT_TERMINAL_PROMPT: '0' },
      stdio: 'pipe',
    }).toString();
  const tailrace = `${process.execPath} ${TAILRACE}`;
  run(`git init -q -b main && git config user.email dev@example.com && git config user.name Dev
    git add Procfile web.cjs && git commit -qm app
    ${tailrace} create shop --addons heroku-postgresql:essential-0,heroku-redis:mini
    git remote rename tailrace heroku && git push -q heroku main
    ${tailrace} config:set -a shop STRIPE_KEY=hunter2
    ${tailrace} scale -a shop web=2:standard-1x worker=1
    ${tailrace} domains:add -a shop www.example.com
    ${tailrace} drains:add -a shop https://logs.example.net/loki
    ${tailrace} pg:psql -a shop -c 'CREATE TABLE things AS SELECT generate_series(1, 100) AS n'`);
  const { invitation_url: link } = await heroku.request<{ invitation_url: string }>('POST', '/people', {
    email: 'ada@example.com',
    app: 'shop',
  });
  await fetch(`${heroku.url}/invitations/accept`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      token: link.split('#invite=')[1],
      email: 'ada@example.com',
      password: 'correct horse',
    }),
  });
  const { REDIS_URL: redis } = await heroku.request<{ REDIS_URL: string }>('GET', '/apps/shop/config-vars');
  run(`redis-cli -u ${redis} SET 'a key' $'with\\nlines' EX 1000; redis-cli -u ${redis} RPUSH list 1 2 3`);
}

/** `tailrace` and `heroku` as the reader of the page has them. */
function writeCommands(): string {
  const folder = join(cli.home, 'bin');
  mkdirSync(folder);
  const { port } = bridge.address() as AddressInfo;
  const commands = {
    tailrace: `[ "$1" = import ] && set -- "$@" --from "$SOURCE"\nexec ${process.execPath} ${TAILRACE} "$@"`,
    heroku: `answer=$(printf '%s\\0' "\${HEROKU_HOST:-}" "$@" | curl -s --data-binary @- http://127.0.0.1:${port})
status=\${answer%%$'\\n'*}; [ "$answer" != "$status" ] && printf '%s\\n' "\${answer#*$'\\n'}"; exit "$status"`,
  };
  for (const [name, script] of Object.entries(commands)) {
    writeFileSync(join(folder, name), `#!/bin/bash\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

describe.skipIf(missing('pg_ctlcluster', 'psql', 'pg_dump', 'redis-server', 'redis-cli', 'curl'))(
  'docs/leaving-heroku.md',
  { timeout: 500_000 },
  () => {
    it('leads from there to here, with the data', async () => {
      expect(BLOCKS.length).toBeGreaterThan(10);
      await makeAppThere();
      // What is elsewhere on this machine.
      const own: [string, string][] = [
        ['https://token:$TOKEN@logs.example.com', `http://token:$TOKEN@127.0.0.1:${new URL(here.url).port}`],
        ['localhost:8080', `127.0.0.1:${here.routerPort}`],
        ['http://localhost:8601', here.url.replace('127.0.0.1', 'localhost')],
      ];
      const script = BLOCKS.map((block, i) => {
        const commands = own.reduce((all, [from, to]) => all.replaceAll(from, to), block);
        return `echo "--- block ${i}"\n${commands}`;
      }).join('\n');
      const { status, stdout, stderr } = await runProgram(
        'bash',
        ['--norc', '-euo', 'pipefail', '-c', script],
        {
          cwd: cli.home,
          env: {
            PATH: `${writeCommands()}:${process.env.PATH}`,
            HOME: cli.home,
            SOURCE: heroku.url,
            HEROKU_API_KEY: heroku.key,
            TAILRACE_DATA: here.data,
            GIT_TERMINAL_PROMPT: '0',
          },
        },
      );
      expect({ status, stderr: status === 0 ? '' : `${stdout}\n${stderr}` }).toEqual({
        status: 0,
        stderr: '',
      });
      const said = stdout.split(/--- block \d+\n/).slice(1);
      expect(said[0]).toMatch(/dry run: nothing is changed[\s\S]*formation web=2:Standard-1X worker=1:Basic/);
      expect(said[1]).toMatch(/ada@example\.com as member: invited; send this link/);
      expect(said[1]).toMatch(
        /Git remote heroku is heroku-old now[\s\S]*ada@example\.com as member: is here already/,
      );
      expect(said.at(-1)).toMatch(/=== shop Releases[\s\S]*^name=shop$[\s\S]*"hostname"/m);
      // The app, with its own config vars, under its own name.
      expect(said[2]).toMatch(/^\["hunter2",\{"host":"www\.example\.com"/m);
      expect(stdout).not.toMatch(/STRIPE_KEY=hunter2/);
      expect(said.at(-2)).toMatch(/web\.1: up[\s\S]*worker\.1: up[\s\S]*hunter2/);

      const formation = await here.request<{ type: string; quantity: number; size: string }[]>(
        'GET',
        '/apps/shop/formation',
      );
      expect(formation.map(({ type, quantity, size }) => `${type}=${quantity}:${size}`).sort()).toEqual([
        'web=2:Standard-1X',
        'worker=1:Basic',
      ]);
      await expect(here.request('PUT', '/apps/shop/formation', { updates: [] })).rejects.toThrow(
        /409.*deployed already/,
      );
      const config = await here.request<Record<string, string>>('GET', '/apps/shop/config-vars');
      const ask = (...command: string[]): string =>
        execFileSync(command[0], command.slice(1)).toString().trim();
      expect(ask('psql', config.DATABASE_URL, '-Atc', 'SELECT sum(n) FROM things')).toBe('5050');
      expect(ask('redis-cli', '-u', config.REDIS_URL, '--raw', 'GET', 'a key')).toBe('with\nlines');
      expect(Number(ask('redis-cli', '-u', config.REDIS_URL, 'TTL', 'a key'))).toBeGreaterThan(500);
      expect(ask('redis-cli', '-u', config.REDIS_URL, 'LRANGE', 'list', '0', '-1')).toBe('1\n2\n3');
      const app = { id: '', name: 'shop', token: '' };
      // The lines of the app there, by their own names, and those of the job.
      await until('its lines', async () => {
        const lines = (await here.readLines(app)).join('\n');
        return (
          /heroku\[api\]: Maintenance mode|app\[api\]: Maintenance mode turned on/.test(lines) &&
          /app\[run\.\d+\]: nightly/.test(lines)
        );
      });
      expect(await heroku.request<unknown[]>('GET', '/apps')).toEqual([]);
    });
  },
);
