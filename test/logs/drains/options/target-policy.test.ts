import { describe, expect, it } from 'vitest';
import { runTailrace } from '../../../support/program.ts';
import { startHttpReceiver } from '../../../support/receivers/receivers.ts';
import { pushLines } from '../../../support/senders/send-lines.ts';
import { dataFolderForTest, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

describe('a server that doesn’t allow private drains', () => {
  it('rejects every spelling of its own address when a drain is added, and names the setting', async () => {
    const server = await startServerForTest({ env: { TAILRACE_ALLOW_PRIVATE_DRAINS: '' } });
    const app = await server.createApp();
    for (const url of [
      'https://127.0.0.1/',
      'https://localhost:8601/logs',
      'http://2130706433/',
      'http://0x7f000001/',
      'http://0177.0.0.1/',
      'http://127.1/',
      'http://[::ffff:127.0.0.1]/',
      'http://[::1]/',
      'http://169.254.169.254/latest/meta-data',
      'syslog://127.0.0.1:514',
      'syslog://2130706433:514',
      'syslog://0x7f.1:514',
      'syslog+tls://0177.1:6514',
      'syslog://[::ffff:7f00:1]:514',
    ]) {
      const refusal = await server.createDrain(app, url).catch(String);
      expect(refusal, url).toContain('TAILRACE_ALLOW_PRIVATE_DRAINS=yes');
    }
    const { status, stderr } = await runTailrace(['drains:add', 'https://[::1]/', '-a', app.name], {
      env: server.env,
    });
    expect(stderr).toContain('Error: Drains may not point at ::1, which is this machine: set TAILRACE_ALLOW');
    expect(status).toBe(1);
    expect(await server.listDrains(app)).toEqual([]);
  });

  it('checks at every connect: a drain that was added when private targets were allowed gets nothing', async () => {
    const data = dataFolderForTest();
    const receiver = await startHttpReceiver();
    const before = await startServerForTest({ data });
    const app = await before.createApp();
    await before.createDrain(app, receiver.url.replace('127.0.0.1', 'localhost'));
    await pushLines(before, app.token, ['hello']);
    await until('the first line', () => receiver.acceptedMessages().length === 1);
    await before.close();

    const after = await startServerForTest({ data, env: { TAILRACE_ALLOW_PRIVATE_DRAINS: 'no' } });
    await pushLines(after, app.token, ['are you there?']);
    const error = await until('the refusal', async () => (await after.listDrains(app))[0].delivery.lastError);
    expect(error).toMatch(/may not point at localhost \((127\.0\.0\.1|::1)\), which is this machine/);
    expect(receiver.acceptedMessages()).toEqual(['hello']);
  });

  it('does not follow a redirect', async () => {
    const server = await startServerForTest();
    const inside = await startHttpReceiver();
    const outside = await startHttpReceiver(() => ({ status: 307, headers: { location: inside.url } }));
    const app = await server.createApp();
    await server.createDrain(app, outside.url);
    await pushLines(server, app.token, ['hello']);
    const error = await until('the answer', async () => (await server.listDrains(app))[0].delivery.lastError);
    expect(error).toContain(`answered 307: redirects aren't followed, so drain directly to ${inside.url}`);
    expect(inside.requests).toEqual([]);
  });
});
