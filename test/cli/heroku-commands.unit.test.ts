/**
 * Whatever Heroku's command takes, `tailrace` takes too, or says what to do instead: each command and each option of the official command, as
 * `fixtures/heroku/commands.txt` lists them (`test/e2e/apps/heroku-apps.test.ts` compares that with the command itself).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { unsupportedCommand } from '../../src/apps/host/unsupported-features.ts';
import { addAllCommands } from '../../src/cli/commands.ts';
import { unsupportedOption } from '../../src/cli/unsupported/unsupported-options.ts';
import { TypedCommand } from '../../src/common/command-line/typed-command.ts';

const program = new TypedCommand('tailrace', unsupportedOption).enablePositionalOptions();
await addAllCommands(program);

interface HerokuCommand {
  readonly name: string;
  readonly options: readonly { readonly names: readonly string[]; readonly takesValue: boolean }[];
}

const HEROKU = readFileSync(join(import.meta.dirname, '..', 'fixtures', 'heroku', 'commands.txt'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line): HerokuCommand => {
    const [name, ...options] = line.split(' ');
    return {
      name,
      options: options.map((option) => ({
        names: option.replace('=', '').split('/'),
        takesValue: option.endsWith('='),
      })),
    };
  });

function find(name: string): Command | undefined {
  return program.commands.find((one) => one.name() === name || one.aliases().includes(name));
}

it('each command is there, or a sentence says what to use', () => {
  const without = HEROKU.filter(({ name }) => !find(name) && unsupportedCommand(name) === undefined);
  expect(without.map(({ name }) => name)).toEqual([]);
  expect(HEROKU.length).toBeGreaterThan(400);
});

it('each option is there and takes a value where Heroku’s does, or a sentence says what to do instead', () => {
  const problems: string[] = [];
  let count = 0;
  for (const { name, options } of HEROKU) {
    const command = find(name);
    if (!command) continue;
    for (const { names, takesValue } of options) {
      if (
        new Set(names.map((typed) => unsupportedOption(name, typed))).size > 1 &&
        !find(name)?.options.some(
          ({ short, long }) => names.includes(short ?? '') || names.includes(long ?? ''),
        )
      )
        problems.push(`${name} ${names.join(' ')}: two sentences`);
      for (const typed of names) {
        count++;
        const own = command.options.find(({ short, long }) => short === typed || long === typed);
        if (!own && refusalOf(name, typed) === undefined) problems.push(`${name} ${typed}: unknown`);
        if (own && takesValue !== (own.required || own.optional))
          problems.push(`${name} ${typed}: its value`);
        if (own && sameOption(own.attributeName(), names) === false)
          problems.push(`${name} ${typed}: means ${own.long}`);
      }
    }
  }
  expect(problems).toEqual(MEANS_ANOTHER);
  expect(count).toBeGreaterThan(800);
});

/** Roles, which Heroku's command hasn't, had the letter first; a remote's name is refused as a role. */
const MEANS_ANOTHER = ['access:add -r: means --role', 'access:update -r: means --role'];

/** By another name the same. */
const SAME: Readonly<Record<string, string>> = {
  dyno: 'dyno-name',
  ps: 'process-type',
  formation: 'concurrency',
};

function sameOption(attribute: string, names: readonly string[]): boolean {
  const [long] = names.map((name) => name.replace(/^--?/, ''));
  const own = attribute.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return [own, SAME[own], own === 'app' ? 'remote' : own, `no-${own}`].includes(long);
}

/** What is said when it is typed, if that says what to do. */
function refusalOf(command: string, option: string): string | undefined {
  return unsupportedOption(find(command)?.name() ?? command, option) ?? unsupportedOption(command, option);
}

it('what is said stands behind what was typed', () => {
  let said = '';
  const typed = new TypedCommand('tailrace', unsupportedOption).exitOverride();
  typed.configureOutput({ writeErr: (text) => (said += text) });
  typed
    .command('create [name]')
    .exitOverride()
    .action(() => {});
  for (const words of [['--region', 'eu'], ['--stack=heroku-24'], ['-sheroku-24']]) {
    said = '';
    expect(() => typed.parse(['create', ...words], { from: 'user' })).toThrow();
    expect(said).toMatch(/^ › {3}Error: Unknown option '[^']+'\. There is one region and one stack here/);
  }
});

it('sentences about options name commands that are', () => {
  const names = program.commands.flatMap((command) => [command.name(), ...command.aliases()]);
  const sentences = HEROKU.flatMap(({ name, options }) =>
    options.flatMap((option) => option.names.flatMap((one) => unsupportedOption(name, one) ?? [])),
  );
  for (const sentence of new Set(sentences)) {
    const named = [...sentence.matchAll(/`tailrace ([\w:]+)|(?<![`\w])((?:[a-z]+:)+[a-z]+)\b/g)];
    expect(names, sentence).toEqual(expect.arrayContaining(named.map(([, own, other]) => own ?? other)));
  }
});
