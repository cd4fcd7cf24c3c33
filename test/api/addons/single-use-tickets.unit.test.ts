import { describe, expect, it } from 'vitest';
import { SingleUseTickets } from '../../../src/api/addons/single-use-tickets.ts';

describe('single-use tickets', () => {
  it('opens what it was made for, once', () => {
    const tickets = new SingleUseTickets<{ id: string }>();
    const secret = tickets.issue({ id: 'a' });
    expect(secret).toMatch(/^[\w-]{32}$/);
    expect(tickets.redeem(secret)).toEqual({ id: 'a' });
    expect(tickets.redeem(secret)).toBeUndefined();
    expect(tickets.redeem('never-was')).toBeUndefined();
  });

  it('is worth nothing after its lifetime', () => {
    let now = 0;
    const tickets = new SingleUseTickets<string>({ lifetimeMs: 1_000, now: () => now });
    const early = tickets.issue('early');
    const late = tickets.issue('late');
    now = 999;
    expect(tickets.redeem(early)).toBe('early');
    now = 1_000;
    expect(tickets.redeem(late)).toBeUndefined();
  });

  it('forgets the oldest beyond its bound, and those that expired first', () => {
    let now = 0;
    const tickets = new SingleUseTickets<number>({ max: 2, lifetimeMs: 10, now: () => now });
    const [first, second, third] = [1, 2, 3].map((n) => tickets.issue(n));
    expect(tickets.redeem(first)).toBeUndefined();
    now = 9;
    const fourth = tickets.issue(4);
    expect([second, third, fourth].map((secret) => tickets.redeem(secret))).toEqual([undefined, 3, 4]);
  });
});
