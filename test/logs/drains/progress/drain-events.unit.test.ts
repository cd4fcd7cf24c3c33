import { expect, it } from 'vitest';
import { hasOnlyDrainEvents } from '../../../../src/logs/drains/progress/drain-events.ts';
import { buildShipment } from '../../../../src/logs/drains/shipment.ts';
import { batchOfOldLines, type OldLine } from '../../../support/old-lines.ts';

/** A shipment of these lines, with nothing behind them in its batch's memory. */
const isOnly = (...lines: OldLine[]): boolean => {
  const batch = { ...batchOfOldLines(lines), first: 1, last: lines.length, storedAtMs: 0 };
  return hasOnlyDrainEvents(buildShipment([batch], 0, 1_000_000)!);
};

it('reports about drains are told from other lines, however short these are', () => {
  const event = { source: 'heroku', dyno: 'logplex', message: 'Error L10' };
  expect(isOnly(event)).toBe(true);
  expect(isOnly(event, event)).toBe(true);
  expect(isOnly(event, { dyno: 'log', message: 'm' })).toBe(false);
  expect(isOnly({ source: 'a', dyno: '-', message: '' })).toBe(false);
  expect(isOnly({ source: 'heroku', dyno: 'r', message: '' }, event)).toBe(false);
});
