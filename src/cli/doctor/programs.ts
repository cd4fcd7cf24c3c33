/** Programs that some features use. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { about, type Finding } from './finding.ts';

/** Program → what doesn't work without it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  git: 'git push to this server',
  tar: 'deploys',
  python3: 'deploys of Python apps',
  npm: 'deploys of Node.js apps',
  openssl: 'tailrace run with a terminal',
};

/** Which of them are there; each that isn't is only missed by who needs it. */
export function programs(path: string = process.env.PATH ?? ''): Finding[] {
  const finding = about('programs');
  const names = Object.keys(PROGRAMS);
  const missing = names.filter((name) => !isThere(name, path));
  const there = names.filter((name) => !missing.includes(name));
  return [
    ...(there.length > 0 ? [finding('ok', there.join(', '))] : []),
    ...missing.map((name) =>
      finding('note', `${name} isn't installed: without it there is no ${PROGRAMS[name]}.`),
    ),
  ];
}

function isThere(name: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
