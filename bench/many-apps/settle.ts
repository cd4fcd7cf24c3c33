/** What a server has to do for lines that it has stored: waited for, so that their processor time counts where they do. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchServer } from '../rig/bench-server.ts';

const SETTLE_APP = 'settle';
const STORED_MS = 180_000;
const LOOK_MS = 100;
/** A server on a busy machine may ask for that. */
const TRIES = 5;

/** Lines that a server has stored since it was started. */
export async function storedLines(server: BenchServer): Promise<number> {
  const response = await fetch(`${server.url}/metrics`, {
    headers: { authorization: `Bearer ${server.key}` },
  });
  return Number(/^tailrace_batch_lines_sum (\d+)$/m.exec(await response.text())?.[1]);
}

/** Resolves when a server has stored so many lines. */
export async function waitUntilStored(server: BenchServer, lines: number): Promise<void> {
  const deadlineMs = performance.now() + STORED_MS;
  for (;;) {
    const stored = await storedLines(server);
    if (stored >= lines) return;
    if (performance.now() > deadlineMs) throw new Error(`${stored} of ${lines} lines are stored`);
    await sleep(LOOK_MS);
  }
}

/** An app of its own for {@link settle}. */
export async function createSettleApp(server: BenchServer): Promise<void> {
  const token = await server.createApp(SETTLE_APP);
  const headers = {
    authorization: `Basic ${Buffer.from(`token:${token}`).toString('base64')}`,
    'content-type': 'text/plain',
  };
  await (await fetch(`${server.url}/logs`, { method: 'POST', headers, body: 'a line' })).text();
}

/**
 * Has the embedded store write what is in its commit log to the apps' segments, and sync these: whoever deletes lines waits for that,
 * whether there are any or not.
 */
export async function settle(server: BenchServer): Promise<void> {
  for (let tries = 1; ; tries++)
    try {
      await server.request('POST', `/apps/${SETTLE_APP}/line-deletions`, {
        q: 'nothing',
        confirm: SETTLE_APP,
      });
      return;
    } catch (error) {
      if (tries === TRIES) throw error;
    }
}
