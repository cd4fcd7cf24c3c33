/** A command that is loaded alone is the same as in the help. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { UNSUPPORTED } from '../../src/apps/host/unsupported-features.ts';
import { addAllCommands, addSingleCommand } from '../../src/cli/commands.ts';

const make = (): Command => new Command('tailrace').enablePositionalOptions();
const all = make();
await addAllCommands(all);
const names = all.commands.flatMap((command) => [command.name(), ...command.aliases()]);
/** They need the others. */
const TOGETHER = ['log', 'completion', 'complete', 'help'];

describe('a command that is loaded alone', () => {
  it('exists for every name but those that need the others', async () => {
    const missing: string[] = [];
    for (const name of names) if (!(await addSingleCommand(make(), name))) missing.push(name);
    expect(missing).toEqual(TOGETHER);
    for (const name of ['lgos', '--help', 'constructor', undefined])
      expect(await addSingleCommand(make(), name)).toBe(false);
  });

  it.each(names.filter((name) => !TOGETHER.includes(name)))('%s says the same of itself', async (name) => {
    const alone = make();
    await addSingleCommand(alone, name);
    const found = (program: Command) =>
      program.commands.find((command) => command.name() === name || command.aliases().includes(name));
    expect(found(alone)?.helpInformation()).toBe(found(all)?.helpInformation());
  });
});

it('sentences about what isn’t here name commands that are', () => {
  for (const sentence of Object.values(UNSUPPORTED)) {
    const named = [...sentence.matchAll(/`tailrace ([\w:]+)|\b((?:[a-z]+:)+[a-z]+)\b/g)];
    const commands = named.map(([, own, other]) => own ?? other);
    expect(names, sentence).toEqual(expect.arrayContaining(commands));
  }
});
