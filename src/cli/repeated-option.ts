import { TailraceError } from '../common/errors.ts';

/** An option that may be given several times. */
export function collectValues(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** The variables of `--env "A=1;B=2"`, given once or several times. @throws TailraceError `invalid_params` for what sets nothing */
export function parseVariables(given: readonly string[] = []): Record<string, string> {
  const parts = given.flatMap((text) => text.split(';')).filter((part) => part.trim() !== '');
  return Object.fromEntries(
    parts.map((part) => {
      const at = part.indexOf('=');
      if (at < 1)
        throw new TailraceError(
          'invalid_params',
          `"${part}" sets nothing: write --env "A=1;B=2", and give a value that has a semicolon in it with config:set.`,
        );
      return [part.slice(0, at).trim(), part.slice(at + 1)];
    }),
  );
}
