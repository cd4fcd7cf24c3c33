/** The server is killed with SIGKILL in the middle of config changes, scalings and builds: before or after, never between. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import { dataFolderForTest, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const APP = 'mortal';
const ROUNDS = 4;

interface Release {
  readonly version: number;
  readonly status: string;
  readonly slug: { readonly id: string } | null;
}

/** A source archive of an app that says its number. */
function archive(number: number): Buffer {
  const script =
    'd=$(mktemp -d) && cd "$d" && printf "worker: echo version $0; exec sleep 1000\\nclock: exec sleep 1000\\n" >Procfile && tar -czf - Procfile && rm -r "$d"';
  return execFileSync('sh', ['-c', script, String(number)]);
}

async function build(server: Server, number: number): Promise<string> {
  const { source_blob: source } = await server.request<{ source_blob: { put_url: string; get_url: string } }>(
    'POST',
    '/sources',
  );
  await fetch(source.put_url, { method: 'PUT', body: new Uint8Array(archive(number)) });
  const { id } = await server.request<{ id: string }>('POST', `/apps/${APP}/builds`, {
    source_blob: { url: source.get_url },
  });
  return until('the build', async () => {
    const { status } = await server.request<{ status: string }>('GET', `/apps/${APP}/builds/${id}`);
    return status !== 'pending' && status;
  });
}

interface Changes {
  /** The last that was asked for, and the last that is known to be done. */
  readonly asked: number;
  readonly done: number;
}

/** Changes one thing again and again until the server is gone. */
async function keepChanging(change: (n: number) => Promise<unknown>, from: Changes): Promise<Changes> {
  let { asked, done } = from;
  try {
    for (;;) {
      asked++;
      await change(asked);
      done = asked;
    }
  } catch {
    return { asked, done };
  }
}

it('a server that is killed leaves the state before or after', async () => {
  const data = dataFolderForTest();
  let server = await startServer({ data });
  await server.request('POST', '/apps', { name: APP });
  expect(await build(server, 0)).toBe('succeeded');
  let configChanges = 0;
  const config = (n: number) => {
    configChanges++;
    return server.request('PATCH', `/apps/${APP}/config-vars`, { A: `${n}`, B: `${n}`, C: `${n}` });
  };
  const counts = (n: number) => ({ worker: n % 3, clock: (n + 1) % 3 });
  const scale = (n: number) =>
    server.request('PATCH', `/apps/${APP}/formation`, {
      updates: Object.entries(counts(n)).map(([type, quantity]) => ({ type, quantity })),
    });
  await config(0);
  await scale(0);
  let configured: Changes = { asked: 0, done: 0 };
  let scaled: Changes = { asked: 0, done: 0 };
  let builds: Changes = { asked: 0, done: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const changing = [keepChanging(config, configured), keepChanging(scale, scaled)] as const;
    const building = keepChanging((n) => build(server, n), builds);
    // At another moment in every round, somewhere in the middle of a change.
    const changesBefore = configChanges;
    await until('changes', () => configChanges - changesBefore > 1 + round);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    await server.kill();
    [configured, scaled] = await Promise.all(changing);
    builds = await building;
    server = await startServer({ data });

    const vars = await server.request<Record<string, string>>('GET', `/apps/${APP}/config-vars`);
    expect([`${configured.done}`, `${configured.asked}`]).toContain(vars.A);
    configured = { ...configured, done: Number(vars.A) };
    expect([vars.B, vars.C]).toEqual([vars.A, vars.A]);

    const formation = await server.request<{ type: string; quantity: number }[]>(
      'GET',
      `/apps/${APP}/formation`,
    );
    const wanted = Object.fromEntries(formation.map(({ type, quantity }) => [type, quantity]));
    expect([counts(scaled.done), counts(scaled.asked)]).toContainEqual(wanted);
    if (isDeepStrictEqual(counts(scaled.asked), wanted)) scaled = { ...scaled, done: scaled.asked };
    await until('those dynos, and no others', async () => {
      const dynos = await server.request<{ type: string; state: string }[]>('GET', `/apps/${APP}/dynos`);
      const running = dynos.filter(({ state }) => state === 'up');
      return (
        dynos.length === running.length &&
        Object.entries(wanted).every(([type, n]) => running.filter((dyno) => dyno.type === type).length === n)
      );
    });

    const releases = await server.request<Release[]>('GET', `/apps/${APP}/releases`);
    expect(releases.map(({ version }) => version)).toEqual(releases.map((_, i) => i + 1));
    expect(releases.every(({ status }) => status === 'succeeded')).toBe(true);
    const slugs = readdirSync(join(data, 'host', 'slugs')).map((name) => name.replace('.tgz', ''));
    expect(slugs).toContain(releases.at(-1)?.slug?.id);
    for (const id of slugs) await server.request('GET', `/apps/${APP}/slugs/${id}`);
    expect(readdirSync(join(data, 'host', 'work'))).toEqual([]);
    expect(readdirSync(data)).not.toContain('uploads');
    expect(server.program.stderr).not.toMatch(/could not be started/);
  }
  // It was in the middle of things, and isn't stuck.
  expect(configured.asked).toBeGreaterThan(ROUNDS);
  expect(builds.asked).toBeGreaterThanOrEqual(ROUNDS);
  await server.request('PATCH', `/apps/${APP}/formation/worker`, { quantity: 1 });
  expect(await build(server, 1_000)).toBe('succeeded');
  await until('the new version', async () =>
    (await server.readMessages({ id: '', name: APP, token: '' })).includes('version 1000'),
  );
  expect(JSON.parse(readFileSync(join(data, 'server.json'), 'utf8')).url).toBe(server.url);
  await server.close();
});
