/** The life of a drain: failures, refusals, pauses, replays, and what is reported about them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { startHttpReceiver, startTcpReceiver } from '../../support/receivers/receivers.ts';
import { messageOf, parseFrames } from '../../support/senders/frames.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** What the stream reports about drains. */
async function drainEvents(server: Server, app: App): Promise<string[]> {
  return (await server.readLines(app, 'lines=100000&source=heroku')).map((line) =>
    line.slice(line.indexOf(']: ') + 3),
  );
}

const fromApp = (messages: readonly string[]) => messages.filter((message) => message.startsWith('line '));

describe('a drain that fails', () => {
  it('is one line in the stream when it fails and one when it recovers, and gets every line', async () => {
    const app = await server.createApp();
    let broken = true;
    const receiver = await startHttpReceiver(() => (broken ? 500 : 200));
    const drain = await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, numberedMessages(10));
    const [failure] = await until('the failure', async () => {
      const lines = await drainEvents(server, app);
      return lines.length > 0 && lines;
    });
    expect(failure).toBe(
      `Drain '${drain.token}' (${receiver.url}) accepts no lines: the destination answered 500. They are kept, as long as the stream holds them, and sent again.`,
    );
    await until('some more attempts', () => receiver.requests.length > 3);
    broken = false;
    const lines = await until('the recovery', async () => {
      const lines = await drainEvents(server, app);
      return lines.length > 1 && lines;
    });
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(
      new RegExp(
        `^Drain '${drain.token}' \\(${receiver.url}\\) accepts lines again after \\d+ s; \\d+ lines wait`,
      ),
    );
    await until('all lines', () => receiver.acceptedMessages().length === 12);
    expect(fromApp(receiver.acceptedMessages())).toEqual(numberedMessages(10));
  });

  it('is retried with the same frame id and the same lines', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver((attempt) => (attempt < 3 ? 503 : 200));
    await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, numberedMessages(5));
    await until('the lines', () => receiver.acceptedMessages().length >= 5);
    const [first, ...again] = receiver.requests.slice(0, 4);
    for (const delivery of again)
      expect([delivery.frameId, delivery.body]).toEqual([first.frameId, first.body]);
  });

  it('waits for Retry-After', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver((attempt) =>
      attempt === 0 ? { status: 429, headers: { 'retry-after': '2' } } : 200,
    );
    await server.createDrain(app, receiver.url);
    const beganMs = performance.now();
    await pushLines(server, app.token, ['line 0']);
    await until('the line', () => receiver.acceptedMessages().includes('line 0'));
    expect(performance.now() - beganMs).toBeGreaterThan(1_900);
  });

  it('does not delay another one', async () => {
    const app = await server.createApp();
    const stuck = await startHttpReceiver(() => 'hang');
    const well = await startHttpReceiver();
    await server.createDrain(app, stuck.url);
    await server.createDrain(app, well.url);
    for (let i = 0; i < 20; i++) await pushLines(server, app.token, numberedMessages(50, 'line', i * 50));
    await until('all lines', () => well.acceptedMessages().length === 1_000);
    expect(well.acceptedMessages()).toEqual(numberedMessages(1_000));
  });
});

describe('lines that a destination refuses', () => {
  it('are counted, reported, kept, shown, and sent again on request', async () => {
    const app = await server.createApp();
    let picky = true;
    const receiver = await startHttpReceiver(() => (picky ? 400 : 200));
    const drain = await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, numberedMessages(3));
    const l10 = await until('the L10', async () => (await drainEvents(server, app))[0]);
    expect(l10).toEqual(
      expect.stringMatching(
        new RegExp(
          `^Error L10 \\(output buffer overflow\\): drain '${drain.token}' dropped 3 messages since \\S+\\. Refused, and kept aside for tailrace drains:refused: the destination answered 400\\.$`,
        ),
      ),
    );
    picky = false;
    await pushLines(server, app.token, ['line 3']);
    await until('the next line', () => receiver.acceptedMessages().includes('line 3'));
    // In front of the lines that came after; the stream's own line may have been refused, too.
    expect(receiver.acceptedMessages().some((message) => message.includes('dropped 3 messages'))).toBe(true);

    const shown = await runTailrace(['drains:refused', '-a', app.name], { env: server.env });
    expect(shown.stdout).toContain('3 lines at ');
    expect(shown.stdout).toContain('the destination answered 400');
    expect(shown.stdout).toContain('app web.1 - - line 0');

    const resent = await runTailrace(['drains:refused', drain.token, '--resend', '-a', app.name], {
      env: server.env,
    });
    expect(resent.stdout).toBe('Accepted 3 lines; nothing is left.\n');
    const again = receiver.requests.find(({ status, body }) => status === 200 && body.includes('line 0'));
    expect(parseFrames(again?.body ?? '').map(messageOf)).toEqual(numberedMessages(3));
    expect(again?.frameId).toBe(receiver.requests[0].frameId);
    const after = await runTailrace(['drains:refused', '-a', app.name], { env: server.env });
    expect(after.stdout).toBe('Nothing was refused.\n');
  });
});

describe('a drain whose lines are trimmed from the stream', () => {
  it('is notified of how many lines it lost and when, and so is the app', async () => {
    const small = await startServerForTest({ env: { TAILRACE_STREAM_LINES: '100' } });
    const app = await small.createApp();
    const receiver = await startHttpReceiver();
    const drain = await small.createDrain(app, receiver.url);
    await pushLines(small, app.token, numberedMessages(10));
    await until('the first lines', () => receiver.acceptedMessages().length === 10);
    await small.request('POST', `/apps/${app.name}/log-drains/${drain.id}/actions/pause`);
    for (let i = 0; i < 5; i++)
      await pushLines(small, app.token, numberedMessages(100, 'line', 10 + i * 100));
    await small.request('POST', `/apps/${app.name}/log-drains/${drain.id}/actions/resume`);
    await until('the last line', () => receiver.acceptedMessages().includes('line 509'));

    const lost = numberedMessages(510).filter((message) => !receiver.acceptedMessages().includes(message));
    expect(lost.length).toBeGreaterThan(0);
    expect(lost).toEqual(numberedMessages(lost.length, 'line', 10));
    const l10 = new RegExp(
      `^Error L10 \\(output buffer overflow\\): drain '${drain.token}' dropped ${lost.length} messages since \\S+\\. The last of them came by \\S+\\.$`,
    );
    // Once as a frame of its own, in front of the lines that came after the loss; once as a line of the stream.
    await until(
      'the stream’s line',
      () => receiver.acceptedMessages().filter((message) => l10.test(message)).length === 2,
    );
    expect(receiver.acceptedMessages()[10]).toMatch(l10);
    expect((await drainEvents(small, app)).filter((message) => l10.test(message))).toHaveLength(1);
    const [{ delivery }] = await small.listDrains(app);
    expect(delivery.lost).toBe(lost.length);
  });
});

describe('users can', () => {
  it('pause a drain and resume it: nothing is lost', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver();
    await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, numberedMessages(5));
    await until('the first lines', () => receiver.acceptedMessages().length === 5);
    const paused = await runTailrace(['drains:pause', '-a', app.name], { env: server.env });
    expect(paused.stdout).toMatch(/^Paused drain http:\S+; go on with: tailrace drains:resume d\./);
    await pushLines(server, app.token, numberedMessages(5, 'line', 5));
    const { stdout } = await runTailrace(['drains', '-a', app.name], { env: server.env });
    expect(stdout).toMatch(/paused: 5 lines delivered, 5 lines \(about \S+ B, \S+ s\) behind/);
    expect(receiver.acceptedMessages()).toHaveLength(5);
    await runTailrace(['drains:resume', '-a', app.name], { env: server.env });
    await until('the rest', () => receiver.acceptedMessages().length === 10);
    expect(receiver.acceptedMessages()).toEqual(numberedMessages(10));
  });

  it('replay what a drain has had, with new frame ids', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver();
    await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, numberedMessages(5));
    await until('the lines', () => receiver.acceptedMessages().length === 5);
    const { stdout } = await runTailrace(['drains:replay', '--since', '1h', '-a', app.name], {
      env: server.env,
    });
    expect(stdout).toMatch(/^Replaying 5 lines since /);
    await until('the lines again', () => receiver.acceptedMessages().length === 10);
    expect(receiver.acceptedMessages()).toEqual([...numberedMessages(5), ...numberedMessages(5)]);
    expect(new Set(receiver.requests.map(({ frameId }) => frameId)).size).toBe(receiver.requests.length);
    await pushLines(server, app.token, ['line 5']);
    await until('the next line', () => receiver.acceptedMessages().includes('line 5'));
  });

  it('test a drain and see the duration of each phase', async () => {
    const app = await server.createApp();
    const http = await startHttpReceiver();
    await server.createDrain(app, http.url);
    const tested = await runTailrace(['drains:test', http.url, '-a', app.name], { env: server.env });
    expect(tested.stdout).toMatch(
      /connected +\d+\.\d ms\nanswered +\d+\.\d ms\nin all +\d+\.\d ms\nThe test line was accepted: 200\n/,
    );
    expect(http.acceptedMessages()[0]).toMatch(/^This is a test line for drain 'd\./);

    const syslog = await startTcpReceiver();
    await server.createDrain(app, syslog.url);
    const sent = await runTailrace(['drains:test', syslog.url, '-a', app.name], { env: server.env });
    expect(sent.stdout).toMatch(
      /line sent +\d+\.\d ms\n.*\nThe test line was accepted: sent, and the connection stands/,
    );

    await http.close();
    const failed = await runTailrace(['drains:test', http.url, '-a', app.name], { env: server.env });
    expect(failed.stdout).toMatch(/The test line was not accepted: connect ECONNREFUSED/);
    expect(failed.status).toBe(1);
  });

  it('see the state of a drain', async () => {
    const app = await server.createApp();
    const receiver = await startHttpReceiver();
    const drain = await server.createDrain(app, receiver.url.replace('//', '//me:secret@'));
    await pushLines(server, app.token, numberedMessages(5));
    await until('the lines', () => receiver.acceptedMessages().length === 5);
    const { stdout } = await runTailrace(['drains:info', '-a', app.name], { env: server.env });
    expect(stdout).toContain('//me:****@');
    expect(stdout).not.toContain('secret');
    expect(stdout).toContain(`Token:        ${drain.token}`);
    expect(stdout).toMatch(/Delivered: +5 lines, \S+ a second lately\nBehind: +up to date\nLost: +nothing/);
    expect(stdout).toMatch(/Last answer: +200 in \d+ ms/);
  });
});
