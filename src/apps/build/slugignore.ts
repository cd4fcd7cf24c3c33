/**
 * `.slugignore`: a pattern a line, like `.gitignore` without `!`. With a slash in it (or at its front) it is meant from
 * the top folder, else for a file of that name anywhere.
 *
 * @returns patterns for tar's `--anchored --exclude`, for archives whose names begin with `./`
 */
export function parseSlugIgnore(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('!'))
    .flatMap((line) => {
      const pattern = line.replace(/\/+$/, '');
      if (pattern.includes('/')) return [`./${pattern.replace(/^\/+/, '')}`];
      return [`./${pattern}`, `./*/${pattern}`];
    });
}
