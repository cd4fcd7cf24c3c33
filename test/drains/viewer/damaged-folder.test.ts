/** A viewer whose log router's files are damaged or gone: it starts, finds what is left, and says exactly what is lost. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { runProgram } from '../../support/program.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { startViewerForTest, VIEWER, type Viewer } from '../../support/viewer/viewer.ts';

/** What is sent here is of 2012. */
const ENV = { VIEWER_KEEP: '2000w', VIEWER_STREAM_BYTES: '256KB' };

it('says which lines are lost with a stream’s files, and finds streams again whose records are', async () => {
  const data = temporaryFolder();
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  let viewer: Viewer = await startViewerForTest({ data, env: ENV });
  const group = await viewer.createGroup('shop');
  const [web, quiet] = [await viewer.createStream(group, 'web'), await viewer.createStream(group, 'quiet')];
  await pushLines(viewer, quiet.token, numberedMessages(20, 'quiet'));
  const sent: string[] = [];
  const parts = join(data, 'lines', web.id);
  // More than a stream may have: it has to be packed.
  while (sent.length < 2_000) {
    const messages = numberedMessages(500, 'x'.repeat(400), sent.length);
    await pushLines(viewer, web.token, messages);
    sent.push(...messages);
  }
  await until('a part', () => existsSync(parts) && readdirSync(parts).some((name) => name.endsWith('.part')));
  await viewer.close();

  // All lines are packed now: of the quiet stream, they no longer are.
  rmSync(join(data, 'lines', quiet.id), { recursive: true });
  for (const { id } of [web, quiet]) {
    const [oldest] = readdirSync(join(data, 'streams', id)).filter((name) => name.endsWith('.log'));
    const path = join(data, 'streams', id, oldest);
    const bytes = readFileSync(path);
    bytes[Math.floor(bytes.length / 2)] ^= 0xff;
    writeFileSync(path, bytes);
  }
  viewer = await startViewerForTest({ data, env: ENV });
  expect(await viewer.messages('')).toEqual(sent);
  expect(await viewer.request('GET', '/api/status')).toMatchObject({
    damage: [{ stream: quiet.id, lines: { first: 1, last: 20 } }],
  });
  expect(await viewer.request('GET', '/health')).toHaveProperty('damage');
  await viewer.kill();

  rmSync(join(data, 'store.mdb'));
  const refused = await runProgram(process.execPath, [VIEWER], {
    env: { VIEWER_DATA: data, VIEWER_HTTP_PORT: '0', VIEWER_SYSLOG: 'no' },
  });
  const command = /`(.+)`/.exec(refused.stderr)?.[1] ?? '';
  expect(command).toBe(`TAILRACE_DATA=${data} tailrace repair`);
  const path = `${join(process.cwd(), 'bin')}:${process.env.PATH}`;
  expect(await runProgram('sh', ['-c', command], { env: { PATH: path } })).toMatchObject({
    stdout: expect.stringContaining('Repaired.'),
  });
  for (const start of [1, 2]) {
    viewer = await startViewerForTest({ data, env: ENV });
    const groups = await viewer.groups();
    const recovered = groups.find(({ name }) => name === 'recovered')?.streams ?? [];
    expect(recovered.map(({ id }) => id)).toContain(web.id);
    expect(await viewer.messages(''), `start ${start}`).toEqual(sent);
    await viewer.kill();
  }
});
