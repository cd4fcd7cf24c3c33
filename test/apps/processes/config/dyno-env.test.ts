import { expect, test } from 'vitest';
import { dynoEnv } from '../../../../src/apps/processes/config/dyno-env.ts';

const parts = { name: 'web.1', id: 'the-id', port: 5000, color: false };

test('a dyno knows its name and port, whatever the config vars say', () => {
  const base = { A: '1', PORT: '1', DYNO: 'x', PS: 'x', PYTHONUNBUFFERED: '' };
  expect(dynoEnv({ ...parts, base })).toEqual({
    A: '1',
    PORT: '5000',
    DYNO: 'web.1',
    PS: 'web.1',
    HEROKU_DYNO_ID: 'the-id',
    PYTHONUNBUFFERED: '',
  });
});

test('color is asked for, but not against the wish of the config vars', () => {
  expect(dynoEnv({ ...parts, base: {}, color: true })).toMatchObject({
    FORCE_COLOR: '1',
    CLICOLOR_FORCE: '1',
  });
  expect(dynoEnv({ ...parts, base: { FORCE_COLOR: '0' }, color: true })).toMatchObject({ FORCE_COLOR: '0' });
});
