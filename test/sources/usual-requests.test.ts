/** The usual request goes past Fastify: nobody can tell by its answer, or by what becomes of its lines. */
import { describe, expect, it } from 'vitest';
import { body, numbered, post } from '../support/push.ts';
import { serveForTest } from '../support/server.ts';

describe('a usual request and one that takes the long way', () => {
  it('have the same answers, good or bad', async () => {
    const server = await serveForTest();
    const app = await server.createApp();
    const good = body(numbered(20, 'x'));
    const cases: { title: string; payload: Buffer; headers?: Record<string, string> }[] = [
      { title: 'good', payload: good, headers: { 'logplex-msg-count': '20' } },
      { title: 'uncounted', payload: good },
      { title: 'a wrong count', payload: good, headers: { 'logplex-msg-count': '7' } },
      { title: 'no number as count', payload: good, headers: { 'logplex-msg-count': '0x14' } },
      { title: 'broken frames', payload: Buffer.from('12 <190>1 - - x\nabc') },
      { title: 'empty', payload: Buffer.alloc(0), headers: { 'logplex-msg-count': '0' } },
    ];
    for (const { title, payload, headers } of cases) {
      const usual = await post(server, app.token, payload, headers);
      // A parameter in its content type makes a request unusual, and means nothing.
      const unusual = await post(server, app.token, payload, {
        ...headers,
        'content-type': 'application/logplex-1; charset=utf-8',
      });
      const shown = (answer: typeof usual) => ({
        status: answer.status,
        text: answer.text,
        type: answer.headers['content-type'],
      });
      expect(shown(usual), title).toEqual(shown(unusual));
      expect(usual.status, title).toBe(['good', 'uncounted', 'empty'].includes(title) ? 204 : 400);
    }
    const messages = await server.messages(app);
    expect(messages).toHaveLength(80);
    expect(messages.slice(0, 40)).toEqual(messages.slice(40));
  });

  it('share the memory of names', async () => {
    const server = await serveForTest();
    const app = await server.createApp();
    const payload = body(numbered(3, 'once'));
    const named = { 'logplex-frame-id': 'the-same' };
    for (const type of ['application/logplex-1', 'application/logplex-1; x=y', 'application/logplex-1'])
      expect((await post(server, app.token, payload, { ...named, 'content-type': type })).status).toBe(204);
    expect(await server.messages(app)).toHaveLength(3);
  });
});
