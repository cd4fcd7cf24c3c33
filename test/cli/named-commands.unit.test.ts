/** What a page or a sentence tells people to type is a command, and takes what is shown behind it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, it } from 'vitest';
import { failures } from '../../src/apps/http-router/error-codes.ts';
import {
  badRequestPage,
  FAILURE_ADVICE,
  failurePage,
  unknownHostPage,
} from '../../src/apps/http-router/error-pages.ts';
import { addAllCommands } from '../../src/cli/commands.ts';

const program = new Command('tailrace').enablePositionalOptions();
await addAllCommands(program);

/** Why `tailrace …` can't be typed; '' if it can. */
function problemOf(typed: string): string {
  const [, name, ...words] = typed.split(/\s+/);
  const command = program.commands.find((one) => one.name() === name || one.aliases().includes(name));
  if (!command) return `there is no command ${name}`;
  const { registeredArguments: wanted } = command;
  const given = words.findIndex((word) => word.startsWith('-'));
  const count = given === -1 ? words.length : given;
  if (count > wanted.length && !wanted.at(-1)?.variadic) return `${name} takes ${wanted.length} arguments`;
  return '';
}

it('in the pages of the HTTP router', () => {
  const pages = [
    unknownHostPage,
    badRequestPage,
    ...Object.values(failures).map((failure) => failurePage(failure, 'myapp', 'id', {})),
  ];
  const typed = pages.flatMap(({ text, command }) => [
    ...(command === '' ? [] : [command]),
    ...(text.match(/tailrace .*/g) ?? []),
  ]);
  expect(typed).toContain(`tailrace ${FAILURE_ADVICE.H14[1].split('tailrace ')[1]}`);
  expect(typed.filter((one) => problemOf(one) !== '')).toEqual([]);
});

it('between backticks, in what the programs say and in the documentation', () => {
  const root = join(import.meta.dirname, '..', '..');
  const files = [
    ...readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join('src', name)),
    ...readdirSync(join(root, 'docs'), { encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join('docs', name)),
    'README.md',
  ];
  const unknown: string[] = [];
  for (const file of files)
    for (const [, name] of readFileSync(join(root, file), 'utf8').matchAll(/`tailrace ([a-z][a-z:]*)\b/g))
      if (problemOf(`tailrace ${name}`) !== '') unknown.push(`${file}: ${name}`);
  // Sentences that begin with a backtick of TypeScript's.
  expect(unknown.sort()).toEqual([
    'src/cli/server/serve.ts: serves',
    'src/logs/store/embedded/records/format-marker.ts: data',
  ]);
});
