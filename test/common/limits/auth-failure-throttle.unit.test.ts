import { expect, it } from 'vitest';
import { AuthFailureThrottle } from '../../../src/common/limits/auth-failure-throttle.ts';

it('lets a hundred refusals of an address go at once, then ten a second, and holds up the others', () => {
  let now = 0;
  const pacer = new AuthFailureThrottle(() => now);
  const waits = (address: string, times: number): number =>
    Array.from({ length: times }, () => pacer.pauseMs(address)).filter((ms) => ms > 0).length;
  expect(waits('192.0.2.1', 100)).toBe(0);
  expect(waits('192.0.2.1', 50)).toBe(50);
  expect(waits('192.0.2.2', 1)).toBe(0);
  now = 1_000;
  expect(waits('192.0.2.1', 15)).toBe(5);
  now = 1_000_000;
  expect(waits('192.0.2.1', 101)).toBe(1);
});

it('counts an IPv6 network as one address', () => {
  const pacer = new AuthFailureThrottle(() => 0);
  for (let i = 0; i < 100; i++) expect(pacer.pauseMs(`2001:db8:1:2::${i.toString(16)}`)).toBe(0);
  expect(pacer.pauseMs('2001:db8:1:2:ffff::1')).toBe(1_000);
  expect(pacer.pauseMs('2001:db8:1:3::1')).toBe(0);
});

it('answers at once within the limit, and later beyond it', async () => {
  const pacer = new AuthFailureThrottle(() => 0, 50);
  for (let i = 0; i < 100; i++) await pacer.pace('192.0.2.1');
  let isOver = false;
  const paced = pacer.pace('192.0.2.1').then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  // The pause keeps no process alive: this timer does, until it is over.
  const alive = setInterval(() => {}, 1_000);
  await paced;
  clearInterval(alive);
});

it('answers a thousand that have waited equally long in many turns of the event loop', async () => {
  const pacer = new AuthFailureThrottle(() => 0, 1);
  for (let i = 0; i < 100; i++) pacer.pauseMs('192.0.2.1');
  let answered = 0;
  let most = 0;
  let turns = 0;
  const all = Array.from({ length: 1_000 }, async () => {
    await pacer.pace('192.0.2.1');
    answered++;
  });
  for (let before = 0; answered < 1_000; before = answered) {
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, answered - before);
    if (answered > before) turns++;
  }
  await Promise.all(all);
  expect(most).toBeLessThanOrEqual(8);
  expect(turns).toBeGreaterThanOrEqual(125);
});
