import { describe, expect, it } from 'vitest';
import {
  maskedWords,
  PATTERNS_KEPT_MAX,
  TemplateMiner,
} from '../../../../drains/viewer/alerts/matching/template-miner.ts';

const DAY = 86_400_000;

describe('patterns of messages', () => {
  it('are what is the same in many messages', () => {
    const miner = new TemplateMiner(7 * DAY);
    expect(miner.learn('user 17 logged in from 10.0.0.1', 0)).toBe('user <*> logged in from <*>');
    expect(miner.learn('user 18 logged in from 10.0.0.2', 1)).toBeUndefined();
    expect(miner.learn('connection to db-1 refused after 30ms', 2)).toBe(
      'connection to <*> refused after <*>',
    );
    expect(miner.learn('connection to cache refused after 5s', 3)).toBeUndefined();
    expect(miner.learn('connection pool is empty', 4)).toBe('connection pool is empty');
    expect(miner.size).toBe(3);
  });

  it('have names of fields, without values that differ', () => {
    expect(maskedWords('at=error code=H12 status=503 id=deadbeefcafe "GET" path=/a')).toEqual([
      'at=error',
      'code=<*>',
      'status=<*>',
      'id=<*>',
      '"GET"',
      'path=/a',
    ]);
  });

  it('are new again when they were not seen for so long, also after a restart', () => {
    const miner = new TemplateMiner(7 * DAY);
    miner.learn('disk is full', 0);
    const again = new TemplateMiner(7 * DAY, JSON.parse(JSON.stringify(miner.takeChanges())));
    expect(again.learn('disk is full', 7 * DAY)).toBeUndefined();
    expect(again.learn('disk is full', 14 * DAY + 1)).toBe('disk is full');
    expect(again.learn('disk is full', 14 * DAY + 2)).toBeUndefined();
  });

  it('need bounded memory, and forget what was not seen for the longest time', () => {
    const miner = new TemplateMiner(DAY);
    const word = (i: number): string => i.toString(26).replace(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)]);
    miner.learn('the first one', 0);
    for (let i = 0; i < PATTERNS_KEPT_MAX * 2; i++) {
      miner.learn(`${word(i)} begins ${word(i * 7)} here`, i);
      miner.learn('seen all the time', i);
    }
    expect(miner.size).toBe(PATTERNS_KEPT_MAX);
    expect(miner.learn('seen all the time', 1)).toBeUndefined();
    expect(miner.learn('the first one', 1)).toBe('the first one');
  });

  it('of odd messages are found, too', () => {
    const miner = new TemplateMiner(DAY);
    for (const message of ['', '   ', 'x'.repeat(100_000), 'a '.repeat(50_000), '\0\0', '😀 😀']) {
      miner.learn(message, 0);
      expect(miner.learn(message, 1)).toBeUndefined();
    }
  });
});
