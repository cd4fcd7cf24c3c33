/** What the official `heroku` command has, as it says itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const MODULES = join(
  import.meta.dirname,
  ...['..', '..', '..', 'node_modules', '.cache', 'heroku', 'node_modules'],
);

interface Manifest {
  readonly commands: Readonly<
    Record<
      string,
      {
        readonly aliases?: readonly string[];
        readonly hiddenAliases?: readonly string[];
        readonly flags?: Readonly<
          Record<string, { readonly name: string; readonly char?: string; readonly type: string }>
        >;
      }
    >
  >;
}

/** Each command, by each of its names, with its options: `logs --app/-a= --tail/-t`; `=` stands where a value follows. */
export function listHerokuCommands(): string {
  const { oclif } = read<{ oclif: { plugins: string[] } }>('heroku', 'package.json');
  const lines = ['heroku', ...oclif.plugins].flatMap((name) =>
    Object.entries(read<Manifest>(name, 'oclif.manifest.json').commands).flatMap(
      ([id, { aliases = [], hiddenAliases = [], flags = {} }]) => {
        const options = Object.values(flags).map(
          (flag) => `--${flag.name}${flag.char ? `/-${flag.char}` : ''}${flag.type === 'option' ? '=' : ''}`,
        );
        return [id, ...aliases, ...hiddenAliases].map((one) => [one, ...options.sort()].join(' '));
      },
    ),
  );
  return `${lines.sort().join('\n')}\n`;
}

function read<T>(packageName: string, file: string): T {
  return JSON.parse(readFileSync(join(MODULES, packageName, file), 'utf8')) as T;
}
