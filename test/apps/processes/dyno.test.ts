import { tmpdir } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { Dyno, type DynoOptions } from '../../../src/apps/processes/dyno.ts';
import { processStat } from '../../../src/common/processes/process-identity.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';
import { isAlive, RecordingSink } from '../forwarder/recording-sink.ts';

const dynos: Dyno[] = [];

function start(command: string, options: Partial<DynoOptions> = {}) {
  const lines = new RecordingSink();
  const type = options.type ?? 'worker';
  const dyno = new Dyno({
    name: `${type}.1`,
    type,
    command,
    cwd: tmpdir(),
    env: process.env,
    lines,
    ...options,
  });
  dynos.push(dyno);
  dyno.start();
  return { dyno, lines };
}

const node = (script: string) => `"${process.execPath}" -e '${script}'`;

afterEach(async () => {
  await Promise.all(dynos.splice(0).map((dyno) => dyno.kill()));
});

test('a crash is logged in the words of Heroku', async () => {
  const { dyno, lines } = start('exit 3');
  expect(await dyno.exited).toEqual({ status: 3, reason: 'crashed' });
  expect(lines.texts('heroku')).toEqual([
    'Starting process with command `exit 3`',
    'State changed from starting to up',
    'Process exited with status 3',
    'State changed from up to crashed',
  ]);
  expect(lines.lines[0]).toMatchObject({ dyno: 'worker.1', priority: 45 });
  expect(dyno.info()).toMatchObject({ name: 'worker.1', state: 'crashed', pid: undefined });
});

test('stdout and stderr become lines of the app, blank and unterminated ones too', async () => {
  const { dyno, lines } = start(
    node('console.log("a\\r\\n\\nb"); process.stdout.write("c"); console.error("e")'),
  );
  await dyno.exited;
  const texts = lines.texts('app');
  expect(texts.filter((text) => text !== 'e')).toEqual(['a', '', 'b', 'c']);
  expect(texts).toContain('e');
  expect(lines.lines.filter((line) => line.source === 'app').every((line) => line.priority === 190)).toBe(
    true,
  );
  expect(lines.lines.at(-2)?.text).toBe('Process exited with status 0');
});

test('bytes that are no UTF-8 arrive unchanged', async () => {
  const all = Buffer.from(
    Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10 && byte !== 13),
  );
  const { dyno, lines } = start(
    node(
      `const b=Buffer.from("${all.toString('hex')}","hex");process.stdout.write(Buffer.concat([b,Buffer.from("\\n"),b]))`,
    ),
  );
  await dyno.exited;
  const bytes = lines.lines.filter((line) => line.source === 'app').map((line) => line.bytes);
  expect(bytes).toEqual([all, all]);
});

test('a line is emitted while the process still runs', async () => {
  const { dyno, lines } = start('echo now; exec sleep 1000');
  await lines.waitForLine('now');
  expect(dyno.info().state).toBe('up');
});

test('an endless line is emitted in pieces', async () => {
  const { dyno, lines } = start(node('process.stdout.write("x".repeat(3e6))'));
  await dyno.exited;
  const pieces = lines.texts('app');
  expect(pieces.length).toBeGreaterThan(2);
  expect(pieces.join('')).toBe('x'.repeat(3e6));
});

test('a process may open /dev/stdout and /dev/stderr by name', async () => {
  const { dyno, lines } = start('echo out > /dev/stdout && echo err > /dev/stderr');
  expect(await dyno.exited).toMatchObject({ status: 0 });
  expect(lines.texts('app').toSorted()).toEqual(['err', 'out']);
});

test('a stop ends every process of the dyno', async () => {
  const { dyno, lines } = start('sleep 1000 & echo child $!; wait');
  const child = Number((await lines.waitForLine('child')).text.split(' ')[1]);
  const { pid = 0 } = dyno.info();
  expect([isAlive(pid), isAlive(child)]).toEqual([true, true]);
  expect(await dyno.stop()).toEqual({ status: 143, reason: 'stopped' });
  expect([isAlive(pid), isAlive(child)]).toEqual([false, false]);
  expect(lines.texts('heroku').slice(2)).toEqual([
    'State changed from up to down',
    'Stopping all processes with SIGTERM',
    'Process exited with status 143',
  ]);
});

test('processes that the first one leaves behind are killed', async () => {
  const { dyno, lines } = start('sleep 1000 & echo child $!; exit 1');
  expect(await dyno.exited).toMatchObject({ status: 1, reason: 'crashed' });
  expect(isAlive(Number(lines.texts('app')[0].split(' ')[1]))).toBe(false);
});

test('a child may shut down gracefully although its shell died of SIGTERM at once', async () => {
  const script =
    'process.on("SIGTERM",()=>setTimeout(()=>{console.log("bye");process.exit()},50));setInterval(()=>{},1e6);console.log("ready")';
  const { dyno, lines } = start(`${node(script)}; true`);
  await lines.waitForLine('ready');
  await dyno.stop();
  expect(lines.texts('app')).toEqual(['ready', 'bye']);
  expect(lines.texts('heroku').join()).not.toContain('SIGKILL');
});

test('R12: a process that does not end in time is killed', async () => {
  const { dyno, lines } = start("trap '' TERM; echo ready; while :; do sleep 0.02; done");
  await lines.waitForLine('ready');
  expect(await dyno.stop(60)).toEqual({ status: 137, reason: 'stopped' });
  expect(lines.texts('heroku').slice(3)).toEqual([
    'Stopping all processes with SIGTERM',
    'Error R12 (Exit timeout) -> Process failed to exit within 0.06 seconds of SIGTERM',
    'Stopping process with SIGKILL',
    'Process exited with status 137',
  ]);
});

test('R12 also for a child that stays when its shell has gone', async () => {
  const stubborn = 'process.on("SIGTERM",()=>{});setInterval(()=>{},1e6);console.log("child",process.pid)';
  const { dyno, lines } = start(`${node(stubborn)}; true`);
  const child = Number((await lines.waitForLine('child')).text.split(' ')[1]);
  expect(await dyno.stop(60)).toMatchObject({ status: 143 });
  expect(isAlive(child)).toBe(false);
  expect(lines.texts('heroku').join('\n')).toContain('Error R12');
});

test('kill sends SIGKILL at once', async () => {
  const { dyno, lines } = start("trap '' TERM; echo ready; while :; do sleep 0.02; done");
  await lines.waitForLine('ready');
  const stopped = dyno.stop();
  expect(await dyno.kill()).toEqual({ status: 137, reason: 'stopped' });
  expect(await stopped).toEqual({ status: 137, reason: 'stopped' });
  expect(lines.texts('heroku').at(-2)).toBe('Stopping process with SIGKILL');
});

test('a web dyno is up when its port accepts connections', async () => {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port) };
  const script =
    'process.once("SIGUSR2",()=>require("http").createServer().listen(process.env.PORT,"127.0.0.1"));setInterval(()=>{},1e6);console.log("waiting")';
  const { dyno, lines } = start(`exec ${node(script)}`, { type: 'web', port, env });
  await lines.waitForLine('waiting');
  expect(dyno.info().state).toBe('starting');
  process.kill(dyno.info().pid ?? 0, 'SIGUSR2');
  await lines.waitForLine('State changed from starting to up');
  expect(dyno.info()).toMatchObject({ state: 'up', port, host: '127.0.0.1' });
});

test('R10: a web dyno that does not listen in time has crashed', async () => {
  const { dyno, lines } = start('sleep 1000', { type: 'web', port: await freePort(), bootTimeoutMs: 60 });
  expect(await dyno.exited).toEqual({ status: 137, reason: 'crashed' });
  expect(lines.texts('heroku').slice(1)).toEqual([
    'Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 0.06 seconds of launch',
    'Stopping process with SIGKILL',
    'Process exited with status 137',
    'State changed from starting to crashed',
  ]);
});

test('by default the times are those of Heroku, and the messages say so', async () => {
  const { BOOT_TIMEOUT_MS } = await import('../../../src/apps/processes/dyno.ts');
  const { STOP_GRACE_MS: GRACE_MS } = await import('../../../src/apps/processes/process-group.ts');
  expect([BOOT_TIMEOUT_MS, GRACE_MS]).toEqual([60_000, 30_000]);
});

test('a one-off dyno is complete, whatever its status', async () => {
  const { dyno, lines } = start('exit 2', { oneOff: true, name: 'run.1', type: 'run' });
  expect(await dyno.exited).toEqual({ status: 2, reason: 'complete' });
  expect(lines.texts('heroku').at(-1)).toBe('State changed from up to complete');
});

test('a dyno that cannot be started has crashed, and says why', async () => {
  const { dyno, lines } = start('true', { cwd: '/no/such/folder' });
  expect(await dyno.exited).toEqual({ status: 127, reason: 'crashed' });
  expect(lines.texts('heroku').slice(1)).toEqual([
    expect.stringMatching(/^Process failed to start: .*ENOENT/),
    'Process exited with status 127',
    'State changed from starting to crashed',
  ]);
});

test('a paused dyno waits when it writes, and nothing is lost', async () => {
  const lineCount = 50_000;
  const { dyno, lines } = start(`i=0; while [ $((i+=1)) -le ${lineCount} ]; do echo "line $i"; done`);
  lines.onLine = ({ source }) => {
    if (source === 'app') dyno.pause();
  };
  await lines.waitForLine('line 1');
  // Something else that takes as long, from start to end: in the meantime the paused one could have written all.
  await start(`i=0; while [ $((i+=1)) -le ${lineCount} ]; do echo "line $i"; done`).dyno.exited;
  expect(dyno.info().state).toBe('up');
  expect(lines.texts('app').length).toBeLessThan(lineCount / 2);
  lines.onLine = () => {};
  dyno.resume();
  await dyno.exited;
  expect(lines.texts('app')).toEqual(Array.from({ length: lineCount }, (_, index) => `line ${index + 1}`));
});

test('a paused dyno can be stopped, and what it had written is read', async () => {
  const port = await freePort();
  const script = `console.log("first");console.log("last");require("http").createServer().listen(${port})`;
  const { dyno, lines } = start(node(script), { type: 'web', port });
  dyno.pause();
  await lines.waitForLine('State changed from starting to up');
  expect(lines.texts('app')).toEqual([]);
  await dyno.stop();
  expect(lines.texts('app')).toEqual(['first', 'last']);
});

test('a dyno that is stopped when its process has ended, and its last lines are read, ends in time', async () => {
  const { dyno, lines } = start('echo last');
  dyno.pause();
  const { pid } = dyno.info();
  // Not as a zombie either: that it has ended is known then.
  await until('the process to end', () => pid !== undefined && processStat(pid) === undefined);
  // What it has written is waited for longer than that.
  expect(await dyno.stop(200)).toEqual({ status: 0, reason: 'stopped' });
  expect(lines.texts('app')).toEqual(['last']);
  expect(lines.texts('heroku').filter((text) => /R12|SIGKILL/.test(text))).toEqual([]);
});
