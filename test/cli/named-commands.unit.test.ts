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

it('in blocks of the documentation, with options that there are', () => {
  const root = join(import.meta.dirname, '..', '..');
  const pages = readdirSync(join(root, 'docs'), { encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  const problems: string[] = [];
  let count = 0;
  for (const page of ['README.md', 'SECURITY.md', ...pages]) {
    const text = readFileSync(join(root, page), 'utf8');
    for (const [, block] of text.matchAll(/^ *```(?:sh|console)?\n(.*?)^ *```/gms))
      for (const line of block.replaceAll(/\\\n\s*/g, '').split('\n'))
        for (const typed of typedIn(line)) {
          count++;
          const problem = problemOf(typed) || problemOfOptions(typed);
          if (problem !== '') problems.push(`${page}: ${typed}: ${problem}`);
        }
  }
  expect(problems).toEqual([]);
  expect(count).toBeGreaterThan(200);
});

/** The commands in a line of a block, as far as a shell or a comment doesn't begin something else; texts in quotes are one word. */
function typedIn(line: string): string[] {
  const code = line.replace(/ +#.*/, '').replace(/'[^']*'|"[^"]*"/g, 'text');
  return code
    .split(/\s*(?:&&?|[|;>]|\$\(|\)|\s{2,})\s*/)
    .map((part) =>
      part
        .replace(/^\$ /, '')
        .replace(/^(?:[A-Z_]+=\S* )+/, '')
        .replace(/^npx /, ''),
    )
    .filter((part) => /^tailrace [a-z]/.test(part) && !part.includes('['));
}

/** Which option isn't one of the command; '' if all are. What follows `--` is another program's. */
function problemOfOptions(typed: string): string {
  const [, name, ...words] = typed.split(' -- ')[0].split(/\s+/);
  const command = program.commands.find((one) => one.name() === name || one.aliases().includes(name));
  if (!command || ['run', 'run:detached', 'run:inside', 'ps:exec', 'start', 'local', 'ship'].includes(name))
    return '';
  const known = command.options.flatMap(({ short, long }) => [short, long]);
  const unknown = words.find((word) => /^--?[a-z]/.test(word) && !known.includes(word.split('=')[0]));
  return unknown === undefined ? '' : `it has no option ${unknown}`;
}
