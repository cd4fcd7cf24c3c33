/** A viewer is backed up while lines come, and restored into another folder: it knows the same, and finds each line once. */
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { checkBackup } from '../../../src/logs/backup/read-backup.ts';
import { type ExitResult, runProgram } from '../../support/program.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  startViewer,
  startViewerForTest,
  VIEWER,
  VIEWER_KEY,
  type Viewer,
} from '../../support/viewer/viewer.ts';

/** What is sent here is of 2012. */
const KEEP = { VIEWER_KEEP: '2000w' };

function folderForTest(): string {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

it('everything is in a backup, and in one that goes on from it, though lines come meanwhile', async () => {
  const folder = folderForTest();
  let viewer: Viewer = await startViewerForTest({ env: { ...KEEP, VIEWER_STREAM_BYTES: '256KB' } });
  const run = (...args: string[]): Promise<ExitResult> =>
    runProgram(process.execPath, [VIEWER, ...args], { env: { VIEWER_URL: viewer.url, VIEWER_KEY } });
  const group = await viewer.createGroup('shop');
  const [web, quiet] = [await viewer.createStream(group, 'web'), await viewer.createStream(group, 'quiet')];
  await viewer.createStream(group, 'empty');
  await viewer.request('POST', '/api/searches', { name: 'odd', group: group.id, q: 'odd' });
  await pushLines(viewer, quiet.token, ['quiet']);
  const old = join(folder, 'old.ndjson');
  writeFileSync(old, '{"time":"2020-01-01T00:00:00Z","msg":"from long ago"}\n');
  expect(await run('import', old, '-g', 'shop', '-s', 'web')).toMatchObject({ status: 0 });

  const sent: string[] = [];
  const send = async (): Promise<void> => {
    const messages = numberedMessages(1_000, 'line', sent.length);
    await pushLines(viewer, web.token, messages);
    sent.push(...messages);
  };
  while (sent.length < 8_000) await send();
  const [one, two] = [join(folder, 'one.tar'), join(folder, 'two.tar')];
  let isMade = false;
  const sending = (async () => {
    while (!isMade) await send();
  })();
  const made = await run('backup', one);
  isMade = true;
  await sending;
  expect(made).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/ has 5 streams \(\d+ packed file/),
  });
  await send();
  const stored = sent.length;
  expect(await run('backup', two, '--since', one)).toMatchObject({ status: 0 });
  await until('nothing is held on to', () => readdirSync(join(viewer.data, 'lines', '.backup')).length === 0);
  const { manifest } = await checkBackup(two);
  expect(manifest.files.some(({ backup }) => backup !== manifest.id)).toBe(true);
  await send();

  const other = join(folder, 'other');
  expect(await run('restore', one, '--data', viewer.data)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('name an empty folder'),
  });
  expect(await run('restore', two, '--data', other)).toMatchObject({ status: 0 });
  await viewer.kill();

  viewer = await startViewer({ data: other, env: KEEP });
  onTestFinished(() => viewer.kill());
  expect((await viewer.groups()).find(({ name }) => name === 'shop')).toMatchObject({
    id: group.id,
    token: group.token,
  });
  expect(await viewer.request('GET', '/api/searches')).toMatchObject([{ name: 'odd' }]);
  const kept = [...sent.slice(0, stored), 'from long ago'];
  expect(await viewer.messages(`stream=${web.id}`)).toEqual(kept);
  await pushLines(viewer, web.token, ['after']);
  await pushLines(viewer, quiet.token, ['loud']);
  expect(await viewer.messages(`stream=${web.id}`)).toEqual([
    ...sent.slice(0, stored),
    'after',
    'from long ago',
  ]);
  expect(await viewer.messages(`stream=${quiet.id}`)).toEqual(['quiet', 'loud']);
  expect(await viewer.request('GET', '/api/status')).toMatchObject({ damage: [], trouble: null });
});

it('a restore that was interrupted is started again, with another backup too, and no viewer takes half of one for all', async () => {
  const folder = folderForTest();
  const full = await startViewerForTest({ env: KEEP });
  const group = await full.createGroup('shop');
  const web = await full.createStream(group, 'web');
  const messages = numberedMessages(1_500).map(
    (message) => `${message} ${randomBytes(200).toString('base64')}`,
  );
  await pushLines(full, web.token, messages);
  const small = await startViewerForTest({ env: KEEP });
  await small.createGroup('small');
  const backUp = async (name: string, { url }: Viewer): Promise<string> => {
    const file = join(folder, name);
    const env = { VIEWER_URL: url, VIEWER_KEY };
    expect(await runProgram(process.execPath, [VIEWER, 'backup', file], { env })).toMatchObject({
      status: 0,
    });
    return file;
  };
  const [one, other] = [await backUp('full.tar', full), await backUp('small.tar', small)];
  const data = join(folder, 'data');
  expect(
    await runProgram(process.execPath, [VIEWER, 'restore', one, '--data', '/proc/nowhere']),
  ).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(
      /^ › {3}Error: \/proc\/nowhere can't be written \(ENOENT\): name another[^\n]*\n$/,
    ),
  });
  // The disk takes no file of more than 200 KB.
  const interrupted = await runProgram('bash', [
    '-c',
    'ulimit -f 200; exec "$0" "$@"',
    process.execPath,
    ...[VIEWER, 'restore', one, '--data', data],
  ]);
  expect(interrupted).toMatchObject({ status: 1, stderr: expect.stringMatching(/make room/) });
  expect(
    await runProgram(process.execPath, [VIEWER], { env: { VIEWER_DATA: data, VIEWER_HTTP_PORT: '0' } }),
  ).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('was interrupted, and not all of the backup is there'),
  });
  for (const [file, names, kept] of [
    [other, ['small'], []],
    [one, ['shop'], messages],
  ] as const) {
    if (file === one) rmSync(data, { recursive: true });
    expect(await runProgram(process.execPath, [VIEWER, 'restore', file, '--data', data])).toMatchObject({
      status: 0,
    });
    const viewer = await startViewer({ data, env: KEEP });
    onTestFinished(() => viewer.kill());
    expect((await viewer.groups()).map(({ name }) => name)).toEqual(expect.arrayContaining([...names]));
    expect(await viewer.messages('')).toEqual(kept);
    expect(await viewer.request('GET', '/api/status')).toMatchObject({ damage: [], trouble: null });
    await viewer.kill();
  }
});
