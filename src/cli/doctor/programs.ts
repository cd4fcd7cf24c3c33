/** Programs that some features use. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type CheckResult, resultsOf } from './check-result.ts';

/** Program → what doesn't work without it. */
const FEATURE_BY_PROGRAM: Readonly<Record<string, string>> = {
  git: 'git push to this server',
  tar: 'deploys',
  python3: 'deploys of Python apps',
  npm: 'deploys of Node.js apps',
  openssl: 'tailrace run with a terminal',
};

/** Which of them are installed; a missing one is only a note. */
export function checkPrograms(path: string = process.env.PATH ?? ''): CheckResult[] {
  const result = resultsOf('programs');
  const names = Object.keys(FEATURE_BY_PROGRAM);
  const missing = names.filter((name) => !isInstalled(name, path));
  const installed = names.filter((name) => !missing.includes(name));
  return [
    ...(installed.length > 0 ? [result('ok', installed.join(', '))] : []),
    ...missing.map((name) =>
      result('note', `${name} isn't installed: without it there is no ${FEATURE_BY_PROGRAM[name]}.`),
    ),
  ];
}

function isInstalled(name: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
