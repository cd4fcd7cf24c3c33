import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRAME_BYTES_MAX } from '../../../../src/logs/syslog/frame-boundary.ts';
import { expectSameLines } from '../../../support/expect-same-lines.ts';
import { missing, runProgram } from '../../../support/program.ts';
import {
  connectTcp,
  logplexLine,
  numberedMessages,
  octetCounted,
  sendOverTcp,
  TIME,
} from '../../../support/senders/send-lines.ts';
import { type Server, startServer, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const UNKNOWN = 't.11111111-0000-4000-8000-000000000000';
let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe.skipIf(missing('logger'))('the `logger` of util-linux', () => {
  const logger = async (...args: string[]) => {
    const ended = await runProgram('logger', [
      '--rfc5424',
      '-n',
      '127.0.0.1',
      '-P',
      String(server.syslogPort),
      ...args,
    ]);
    expect(ended).toMatchObject({ status: 0, stderr: '' });
  };

  it.each([
    ['over TCP, octet counted', ['--tcp', '--octet-count']],
    ['over TCP, newline framed', ['--tcp']],
    ['over UDP', ['--udp']],
  ])('%s: the token as its tag', async (_name, how) => {
    const app = await server.createApp();
    await logger(...how, '-t', app.token, '--id=4711', 'hello from logger');
    const [text] = await until('the line', async () => {
      const lines = await server.readLines(app);
      return lines.length > 0 && lines;
    });
    expect(text).toMatch(/^\d{4}-\d\d-\d\dT\S+ app\[4711\]: hello from logger$/);
  });

  it('reads a pipe, line by line', async () => {
    const app = await server.createApp();
    const args = ['--tcp', '--rfc5424', '--octet-count', '-n', '127.0.0.1', '-P', String(server.syslogPort)];
    const input = `${numberedMessages(2_000).join('\n')}\n`;
    expect(await runProgram('logger', [...args, '-t', app.token], { input })).toMatchObject({ status: 0 });
    await until('all lines', async () => (await server.readMessages(app)).length >= 2_000);
    expectSameLines(await server.readMessages(app), numberedMessages(2_000));
  });
});

describe('syslog over TCP', () => {
  it('takes both framings on one connection, in order', async () => {
    const app = await server.createApp();
    const bytes = numberedMessages(300).map((message, i) => {
      const text = logplexLine(message, app.token);
      return i % 3 === 0 ? octetCounted(text) : Buffer.from(`${text}${i % 3 === 1 ? '\n' : '\r\n'}`);
    });
    await sendOverTcp(server.syslogPort, Buffer.concat(bytes));
    await until('all lines', async () => (await server.readMessages(app)).length >= 300);
    expect(await server.readMessages(app)).toEqual(numberedMessages(300));
  });

  it('takes bytes as they trickle in', async () => {
    const app = await server.createApp();
    const bytes = Buffer.concat([
      octetCounted(logplexLine('one', app.token)),
      Buffer.from(`${logplexLine('two', app.token)}\n`),
    ]);
    const socket = await connectTcp(server.syslogPort);
    for (const byte of bytes) await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
    await until('both lines', async () => (await server.readMessages(app)).length === 2);
    expect(await server.readMessages(app)).toEqual(['one', 'two']);
    socket.destroy();
  });

  it('takes the last line without its newline when the sender closes', async () => {
    const app = await server.createApp();
    await sendOverTcp(
      server.syslogPort,
      `${logplexLine('short', app.token)}\n${logplexLine('the last one, longer than the first', app.token)}`,
    );
    await until('both lines', async () => (await server.readMessages(app)).length === 2);
    expect(await server.readMessages(app)).toEqual(['short', 'the last one, longer than the first']);
  });

  it('takes the last line without its newline also when it came in pieces', async () => {
    const app = await server.createApp();
    const socket = await connectTcp(server.syslogPort);
    const second = logplexLine('second', app.token);
    const last = `last ${'x'.repeat(500)}`;
    const before = (await server.sourceCounters('tcp')).lines;
    socket.write(`${logplexLine('first', app.token)}\n${second.slice(0, 50)}`);
    // From here on the beginning of the second line waits for its rest.
    await until('the first line', async () => (await server.sourceCounters('tcp')).lines > before);
    socket.end(`${second.slice(50)}\n${logplexLine(last, app.token)}`);
    await until('all lines', async () => (await server.readMessages(app)).length === 3);
    expect(await server.readMessages(app)).toEqual(['first', 'second', last]);
  });

  it('resynchronizes after malformed framing, and counts what is nobody’s', async () => {
    const app = await server.createApp();
    const other = await server.createApp();
    const neighbour = await connectTcp(server.syslogPort);
    neighbour.write(octetCounted(logplexLine('before', other.token)).subarray(0, 20));
    const before = await server.sourceCounters('tcp');
    await sendOverTcp(
      server.syslogPort,
      octetCounted(logplexLine('good', app.token)),
      Buffer.concat([
        Buffer.from('99999999999999 <13>1 broken '),
        Buffer.from([0, 255, 254]),
        Buffer.from('\n'),
      ]),
      octetCounted(logplexLine('good again', app.token)),
      'not syslog at all\n',
      '<13>Dec 10 03:00:48 old: style\n',
      `${logplexLine('and again', app.token)}\n`,
    );
    neighbour.write(octetCounted(logplexLine('before', other.token)).subarray(20));
    neighbour.end(octetCounted(logplexLine('after', other.token)));
    await until('the lines', async () => (await server.readMessages(app)).length === 4);
    await until('the neighbour’s lines', async () => (await server.readMessages(other)).length === 2);
    expect(await server.readMessages(app)).toEqual([
      'good',
      'good again',
      'not syslog at all', // it follows a line of the app
      'and again',
    ]);
    expect(await server.readMessages(other)).toEqual(['before', 'after']);
    const after = await server.sourceCounters('tcp');
    expect(after.malformed - before.malformed).toBe(2); // a NUL ends a line as well
    expect(after.headerless - before.headerless).toBe(1);
    expect(after.miscounted - before.miscounted).toBe(1);
    expect(after.unknownToken - before.unknownToken).toBe(1); // an old line that says nothing of whose it is
  });

  it('splits a line over 10,000 bytes', async () => {
    const app = await server.createApp();
    await sendOverTcp(server.syslogPort, octetCounted(logplexLine('x'.repeat(25_000), app.token)));
    await until('three lines', async () => (await server.readMessages(app)).length === 3);
    expect((await server.readMessages(app)).map((text) => text.length)).toEqual([10_000, 10_000, 5_000]);
  });

  it.each(['counted', 'a line'])(
    'takes 1 MB of a frame that is longer (%s), says so, and loses nothing behind it',
    async (kind) => {
      const app = await server.createApp();
      const { oversized } = await server.sourceCounters('tcp');
      const long = logplexLine('x'.repeat(2_000_000), app.token);
      await sendOverTcp(
        server.syslogPort,
        kind === 'counted' ? octetCounted(long) : `${long}\n`,
        `${logplexLine('behind', app.token)}\n`,
        octetCounted(logplexLine('the end', app.token)),
      );
      const messages = await until('the lines, and the report', async () => {
        const found = await server.readMessages(app, 'lines=1000');
        return found.some((text) => text.startsWith('Frame size: 1 frames since')) && found;
      });
      const own = messages.filter((text) => !text.startsWith('Frame size: '));
      expect(own.slice(-2)).toEqual(['behind', 'the end']);
      const head = long.length - 2_000_000;
      expect(own.slice(0, -2).join('')).toBe('x'.repeat(FRAME_BYTES_MAX - head));
      expect((await server.sourceCounters('tcp')).oversized - oversized).toBe(1);
    },
  );

  it('takes lines of several apps on one connection', async () => {
    const one = await server.createApp();
    const other = await server.createApp();
    const nginx = await server.addToken(one, 'nginx');
    const bytes = numberedMessages(300).map((message, i) =>
      octetCounted(logplexLine(message, [one.token, other.token, nginx][i % 3])),
    );
    await sendOverTcp(server.syslogPort, ...bytes);
    await until('all lines', async () => (await server.readMessages(one)).length === 200);
    expect(await server.readMessages(one, 'source=app&lines=1000')).toEqual(
      numberedMessages(300).filter((_, i) => i % 3 === 0),
    );
    expect(await server.readMessages(one, 'source=nginx&lines=1000')).toEqual(
      numberedMessages(300).filter((_, i) => i % 3 === 2),
    );
    expect(await server.readMessages(other)).toEqual(numberedMessages(300).filter((_, i) => i % 3 === 1));
  });

  it('many connections at once: every line, in the order of each connection', async () => {
    const app = await server.createApp();
    const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
    await Promise.all(
      names.map((name) =>
        sendOverTcp(
          server.syslogPort,
          ...numberedMessages(100, name).map((message) => `${logplexLine(message, app.token, name)}\n`),
        ),
      ),
    );
    await until('all lines', async () => (await server.readMessages(app)).length === 2_000);
    for (const name of names)
      expect(await server.readMessages(app, `dyno=${name}&lines=1000`)).toEqual(numberedMessages(100, name));
  });

  it('a token that was made a moment ago is known, a revoked one isn’t any more', async () => {
    const app = await server.createApp();
    const socket = await connectTcp(server.syslogPort);
    socket.write(octetCounted(logplexLine('unknown yet', UNKNOWN)));
    const token = await server.addToken(app, 'late');
    socket.write(octetCounted(logplexLine('known now', token)));
    await until('the line', async () => (await server.readMessages(app)).length === 1);
    const before = (await server.sourceCounters('tcp')).unknownToken;
    await server.request('DELETE', `/apps/${app.name}/tokens/${token}`);
    socket.end(octetCounted(logplexLine('revoked', token)));
    await until('the count', async () => (await server.sourceCounters('tcp')).unknownToken > before);
    expect(await server.readMessages(app)).toEqual(['known now']);
  });
});

describe('an unknown token', () => {
  it('is counted, with one warning for all of them, and the others’ lines go on', async () => {
    const own = await startServerForTest();
    const app = await own.createApp();
    const bytes = numberedMessages(100).map((message, i) =>
      octetCounted(logplexLine(message, i % 2 ? UNKNOWN : app.token)),
    );
    for (const chunk of bytes) await sendOverTcp(own.syslogPort, chunk);
    await until('the known half', async () => (await own.readMessages(app)).length === 50);
    await until('the count', async () => (await own.sourceCounters('tcp')).unknownToken === 50);
    const warnings = own.program.stderr.split('\n').filter((text) => text.includes('unknown token'));
    expect(warnings).toHaveLength(1);
    expect(own.program.stderr).not.toContain(app.token);
  });
});

describe('stamps', () => {
  it('a line without time and host gets the time of arrival and the sender’s address', async () => {
    const app = await server.createApp();
    const before = Date.now();
    await sendOverTcp(server.syslogPort, `<13>1 - - ${app.token} - - - hello\n`);
    await until('the line', async () => (await server.readLines(app)).length === 1);
    const [json] = await server.readLines(app, 'format=json');
    const fields = JSON.parse(json);
    expect(fields).toMatchObject({
      hostname: '127.0.0.1',
      source: 'app',
      dyno: '-',
      facility: 1,
      severity: 5,
    });
    expect(Date.parse(fields.timestamp)).toBeGreaterThanOrEqual(before);
  });

  it('the sender’s own are kept', async () => {
    const app = await server.createApp();
    await sendOverTcp(server.syslogPort, `${logplexLine('hello', app.token)}\n`);
    await until('the line', async () => (await server.readLines(app)).length === 1);
    const [json] = await server.readLines(app, 'format=json');
    expect(JSON.parse(json)).toMatchObject({ hostname: 'shuttle', timestamp: TIME });
  });
});
