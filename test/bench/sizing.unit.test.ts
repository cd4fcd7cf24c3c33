import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const cellsOf = (row: string): string[] =>
  row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

/** Rows of tables whose last column names a part of the results; an empty one, the same as the row above. */
function citedFigures(page: string): { figure: string; heading: string }[] {
  const cited: { figure: string; heading: string }[] = [];
  let heading: string | undefined;
  for (const line of page.split('\n')) {
    if (!line.startsWith('|')) heading = undefined;
    else if (line.includes('](../bench/RESULTS.md) ')) heading = '';
    else if (heading !== undefined && !line.startsWith('| --')) {
      const [, figure, part] = cellsOf(line);
      heading = part || heading;
      cited.push({ figure, heading });
    }
  }
  return cited;
}

it('figures of docs/sizing.md stand in the parts of the results that it names', () => {
  const parts = read('bench/RESULTS.md').split(/^##+ /m);
  const cited = citedFigures(read('docs/sizing.md'));
  expect(cited.length).toBeGreaterThan(10);
  const missing = cited.filter(
    ({ figure, heading }) =>
      !parts.some(
        (part) =>
          part.split('\n', 1)[0].includes(heading) &&
          part.split('\n').some((line) => line.startsWith('|') && cellsOf(line).includes(figure)),
      ),
  );
  expect(missing).toEqual([]);
});
