import { expect, it } from 'vitest';
import { Deadline, PeriodicCheck } from '../../../src/common/limits/deadline.ts';
import { standStill } from '../../support/stand-still.ts';

/** What comes to this process is read no sooner than by its event loop, like what comes to a socket. */
function sendMyself(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port2.onmessage = () => {
      port2.close();
      resolve();
    };
    port1.postMessage('');
  });
}

it('is over behind what came while the process stood still, which may clear it', async () => {
  const order: string[] = [];
  const cleared = new Deadline(5, () => order.push('cleared'));
  const kept = new Promise<void>((resolve) => {
    new Deadline(5, () => {
      order.push('over');
      resolve();
    });
  });
  const timer = new Promise<void>((resolve) => {
    setTimeout(() => {
      order.push('timer');
      resolve();
    }, 5);
  });
  const read = sendMyself().then(() => {
    order.push('read');
    cleared.clear();
  });
  standStill(20);
  await Promise.all([kept, timer, read]);
  // Node.js has timers first.
  expect(order).toEqual(['timer', 'read', 'over']);
});

it('a check comes again and again, behind what came, until it is stopped', async () => {
  let checks = 0;
  let atRead = -1;
  await new Promise<void>((resolve) => {
    const check = new PeriodicCheck(5, () => {
      checks++;
      if (checks < 3) return;
      check.stop();
      resolve();
    });
    void sendMyself().then(() => {
      atRead = checks;
    });
    standStill(20);
    // The check alone keeps no process.
    const alive = setInterval(() => checks >= 3 && clearInterval(alive), 5);
  });
  expect(atRead).toBe(0);
  expect(checks).toBe(3);
});
