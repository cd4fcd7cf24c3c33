/** A server that stood still, as in a paused container: what was sent to it meanwhile is taken, however late it reads it. */
import { once } from 'node:events';
import { expect, it } from 'vitest';
import {
  basicAuth,
  connectTcp,
  logplexBody,
  logplexLine,
  octetCounted,
} from '../../support/senders/send-lines.ts';
import { startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const FRAME_TIMEOUT_MS = 6_000;
/** Of each form: more than what can be parsed in one turn of the event loop. */
const CONNECTIONS = 20;

it('takes requests and frames whose rest came while it stood still, for longer than they may take', async () => {
  const server = await startServerForTest({ env: { TAILRACE_FRAME_TIMEOUT: `${FRAME_TIMEOUT_MS}ms` } });
  const app = await server.createApp();
  const body = logplexBody(['a whole request', 'the rest of a body']);
  const head = `POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: ${basicAuth(app.token)}\r\nContent-Type: application/logplex-1\r\nContent-Length: ${body.length}\r\n`;
  const request = `${head}\r\n${body}`;
  // Not for the fast path.
  const otherRequest = `${head}Connection: close\r\n\r\n${body}`;
  const frame = octetCounted(logplexLine('the rest of a frame', app.token)).toString();
  /** What is sent before the server stands still, and meanwhile. */
  const forms: readonly (readonly [before: string, rest: string])[] = [
    ['', request],
    [request.slice(0, -4), request.slice(-4)],
    ['', otherRequest],
    [otherRequest.slice(0, 40), otherRequest.slice(40)],
    [otherRequest.slice(0, -4), otherRequest.slice(-4)],
    ['GET /health HTTP/1.1\r\n', 'Host: x\r\nConnection: close\r\n\r\n'],
  ];
  const requests = Array.from({ length: CONNECTIONS }, () => forms).flat();
  const syslog = await connectTcp(server.syslogPort);
  syslog.write(octetCounted(logplexLine('a frame', app.token)));
  await until('the first frame', async () => (await server.readMessages(app)).includes('a frame'));
  const port = Number(new URL(server.url).port);
  const sockets = await Promise.all(requests.map(() => connectTcp(port)));
  const answers = sockets.map(async (socket) => String((await once(socket, 'data'))[0]).split('\r\n')[0]);
  syslog.write(frame.slice(0, 20));
  requests.forEach(([before], i) => void sockets[i].write(before));
  // It has read what was sent until now.
  await server.request('GET', '/apps');

  server.program.child.kill('SIGSTOP');
  const stoppedMs = performance.now();
  syslog.write(frame.slice(20));
  requests.forEach(([, rest], i) => void sockets[i].write(rest));
  await until('the time-outs to be over', () => performance.now() - stoppedMs > FRAME_TIMEOUT_MS + 200);
  server.program.child.kill('SIGCONT');

  const expected = forms.map(([before]) => (before.startsWith('GET') ? '200 OK' : '204 No Content'));
  expect(await Promise.all(answers)).toEqual(
    requests.map((_, i) => `HTTP/1.1 ${expected[i % forms.length]}`),
  );
  const messages = await until('the rest of the frame', async () => {
    const all = await server.readMessages(app);
    return all.includes('the rest of a frame') && all;
  });
  for (const message of ['a whole request', 'the rest of a body'])
    expect(messages.filter((one) => one === message)).toHaveLength((forms.length - 1) * CONNECTIONS);
});
