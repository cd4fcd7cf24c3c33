import { expect, it } from 'vitest';
import { parseForemanOptions } from '../../../src/cli/server/start-files.ts';

it('foreman’s options are read, by all their names', () => {
  expect(
    parseForemanOptions(
      '---\n# mine\nprocfile: Procfile.dev\napp_root: "web"\nenv: .env,.env.local\nconcurrency: web=2\nport: 6000\ntimeout: 5\n',
    ),
  ).toEqual({
    procfile: 'Procfile.dev',
    root: 'web',
    env: '.env,.env.local',
    formation: 'web=2',
    port: '6000',
  });
});

it.each(['nonsense', 'prot: 5', '- a'])('%j is refused with its line', (line) => {
  expect(() => parseForemanOptions(`port: 1\n${line}\n`)).toThrow(/\.foreman line 2: write one of procfile/);
});
