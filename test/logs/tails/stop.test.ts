import { describe, expect, it } from 'vitest';
import { TailClient } from '../../support/receivers/tail-client.ts';
import { connectTcp, pushLines } from '../../support/senders/send-lines.ts';
import { startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

describe('a server that stops', () => {
  it('closes the connections of readers and senders, and exits with 0', async () => {
    const server = await startServerForTest();
    const app = await server.createApp();
    await pushLines(server, app.token, ['hello']);
    const reader = await new TailClient(server, app).opened();
    await reader.waitForLines(1);
    const events = await fetch(`${server.url}/apps/${app.name}/logs?tail=true`, {
      headers: { authorization: `Bearer ${server.key}`, accept: 'text/event-stream' },
    });
    const sender = await connectTcp(server.syslogPort);
    const { status } = await server.program.stop('SIGTERM');
    expect(status).toBe(0);
    await until('the tail’s end', () => reader.closeCode);
    expect(reader.closeCode).toBe(1001);
    await events.text().catch(() => {}); // cut off in the middle: that is an end too
    sender.destroy();
  });

  it('doesn’t wait for a reader that doesn’t answer', async () => {
    const server = await startServerForTest();
    const app = await server.createApp();
    const reader = await new TailClient(server, app).opened();
    reader.socket.pause();
    const ended = await server.program.stop('SIGTERM');
    expect(ended.status).toBe(0);
    reader.disconnect();
  });
});
