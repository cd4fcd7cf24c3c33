/** `tailrace config:edit` with editors that are programs. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';

const APP = 'edited';
const TRICKY = 'a "b" \'c\' $d `e` \\n # f\r\n\tg=h  ';
let server: Server;
let folder: string;

beforeAll(async () => {
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  await server.request('POST', '/apps', { name: APP });
});
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await set(Object.fromEntries(Object.keys(await vars()).map((name) => [name, null])));
  await set({ A: 'one', B: 'two', TRICKY });
});

const vars = () => server.request<Record<string, string>>('GET', `/apps/${APP}/config-vars`);
const set = (change: Record<string, string | null>) =>
  server.request('PATCH', `/apps/${APP}/config-vars`, change);
const version = async () =>
  Math.max(
    ...(await server.request<{ version: number }[]>('GET', `/apps/${APP}/releases`)).map(
      (one) => one.version,
    ),
  );

/** An editor whose commands see the file as `$1`. */
function editor(script: string): string {
  const file = join(folder, `editor-${Math.random().toString(36).slice(2)}`);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}
const edit = (script: string, args: readonly string[] = [], variable = 'VISUAL') =>
  runTailrace(['config:edit', ...args, '-a', APP], {
    env: { ...server.env, TMPDIR: folder, [variable]: editor(script) },
  });
const api = (change: object) =>
  `curl -sf -X PATCH -H 'Authorization: Bearer ${server.key}' -H 'Content-Type: application/json' -d '${JSON.stringify(change)}' ${server.url}/apps/${APP}/config-vars >/dev/null`;

describe('config:edit', () => {
  it('sends what was changed, added and taken away, in one release', async () => {
    const before = await version();
    const { status, stdout } = await edit(
      `sed -i -e 's/^A=.*/A=1/' -e '/^B=/d' "$1"; echo 'C="x\\ny"' >> "$1"`,
    );
    expect(stdout).toMatch(/done, v\d+\n\+ A\n\+ C\n- B\n$/);
    expect(status).toBe(0);
    expect(await vars()).toEqual({ A: '1', C: 'x\ny', TRICKY });
    expect(await version()).toBe(before + 1);
  });

  it('takes VISUAL before EDITOR, with arguments', async () => {
    await edit(`echo D=editor >> "$1"`, [], 'EDITOR');
    expect(await vars()).toMatchObject({ D: 'editor' });
    const env = {
      ...server.env,
      EDITOR: 'false',
      VISUAL: `${editor('[ "$1" = -x ] && echo E=1 >> "$2"')} -x`,
    };
    expect((await runTailrace(['config:edit', '-a', APP], { env })).status).toBe(0);
    expect(await vars()).toMatchObject({ E: '1' });
  });

  it('changes one value, whatever is in it', async () => {
    await edit(`printf 'line 1\\n#line 2\\n' > "$1"`, ['A']);
    expect((await vars()).A).toBe('line 1\n#line 2');
    await edit(`printf 'new\\n' > "$1"`, ['NEW']);
    expect((await vars()).NEW).toBe('new');
    await edit(`sed -i s/g=h/changed/ "$1"`, ['TRICKY']);
    expect((await vars()).TRICKY).toBe(TRICKY.replace('g=h', 'changed'));
  });

  it.each([
    ['left as it was', 'true', 0, /Nothing was changed in the editor: edited stays as it is/],
    ['aborted', 'exit 3', 1, /The editor ended with 3: nothing was changed/],
    ['killed', 'kill -9 $$', 1, /The editor ended with (137|SIGKILL): nothing was changed/],
    ['emptied', ': > "$1"', 1, /The file is empty, so nothing was changed/],
    [
      'not readable',
      'echo rubbish >> "$1"',
      1,
      /Line \d+: this is no assignment[^\n]* Nothing was changed\. What you wrote is in \S+config\.env/,
    ],
    ['an open quote', `echo 'Z="' >> "$1"`, 1, /the quote " is never closed/],
    ['a bad name', 'echo 1A=x >> "$1"', 1, /this is no assignment/],
  ])('an edit that is %s changes nothing', async (_, script, status, sentence) => {
    const before = [await version(), await vars()];
    const answer = await edit(script);
    expect(`${answer.stdout}${answer.stderr}`).toMatch(sentence);
    expect(answer.status).toBe(status);
    expect([await version(), await vars()]).toEqual(before);
  });

  it('says when the same config var was changed meanwhile, and keeps what was written', async () => {
    const refused = await edit(`sed -i 's/^A=.*/A=mine/' "$1"; ${api({ A: 'theirs' })}`);
    expect(refused.stderr).toMatch(
      /A of edited was changed by somebody else while you edited: nothing was changed/,
    );
    expect(refused.status).toBe(1);
    expect((await vars()).A).toBe('theirs');
    const [, file = ''] = /is in (\S+)\.\n/.exec(refused.stderr) ?? [];
    expect(readFileSync(file, 'utf8')).toMatch(/^A=mine$/m);
  });

  it('leaves alone what others changed beside it', async () => {
    expect((await edit(`sed -i 's/^A=.*/A=mine/' "$1"; ${api({ B: 'theirs', N: '1' })}`)).status).toBe(0);
    expect(await vars()).toMatchObject({ A: 'mine', B: 'theirs', N: '1' });
  });

  it('a file or a program that can’t be had is one sentence', async () => {
    const env = { ...server.env, EDITOR: 'true', TMPDIR: '/nowhere/at-all' };
    expect((await runTailrace(['config:edit', '-a', APP], { env })).stderr).toMatch(
      /^ › {3}Error: \/nowhere\/at-all\/\S+ can't be used \(ENOENT: [^)]+\): name another, [^\n]+\n$/,
    );
  });

  it('names that objects have are names like others', async () => {
    const get = (name: string) => runTailrace(['config:get', name, '-a', APP], { env: server.env });
    for (const name of ['toString', '__proto__'])
      expect((await get(name)).stderr).toBe(` ›   Error: ${APP} has no config var ${name}.\n`);
    const before = await version();
    await runTailrace(['config:unset', 'constructor', '-a', APP], { env: server.env });
    expect(await version()).toBe(before);
    await edit('printf new > "$1"', ['constructor']);
    expect((await get('constructor')).stdout).toBe('new\n');
    await set({ constructor: null });
  });

  it('without an editor and a terminal says what to set', async () => {
    const refused = await runTailrace(['config:edit', '-a', APP], { env: server.env });
    expect(refused.stderr).toMatch(/set VISUAL or EDITOR/);
    const unknown = await runTailrace(['config:edit', '-a', 'nowhere'], {
      env: { ...server.env, EDITOR: 'true' },
    });
    expect(unknown.stderr).toMatch(/Couldn't find that app/);
  });

  it('If-Match refuses a change of another version', async () => {
    const read = await fetch(`${server.url}/apps/${APP}/config-vars`, {
      headers: { authorization: `Bearer ${server.key}` },
    });
    const patch = (change: object) =>
      fetch(`${server.url}/apps/${APP}/config-vars`, {
        method: 'PATCH',
        headers: {
          authorization: `Bearer ${server.key}`,
          'content-type': 'application/json',
          'if-match': read.headers.get('etag') ?? '',
        },
        body: JSON.stringify(change),
      });
    expect((await patch({ A: 'first' })).status).toBe(200);
    const second = await patch({ A: 'second' });
    expect(second.status).toBe(412);
    expect(await second.json()).toMatchObject({ id: 'precondition_failed' });
    expect((await vars()).A).toBe('first');
  });
});
