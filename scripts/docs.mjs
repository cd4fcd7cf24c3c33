/**
 * Writes the tables of the documentation that are made from the code: settings into README.md, error codes into docs/errors.md.
 * --check: only compares, and fails with the names of files that differ.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failures } from '../dist/src/apps/http-router/error-codes.js';
import { FAILURE_ADVICE } from '../dist/src/apps/http-router/error-pages.js';
import { SETTINGS } from '../dist/src/common/config/settings-table.js';
import { ERROR_CODES } from '../dist/src/common/errors.js';
import { PLATFORM_ERRORS } from '../dist/src/common/platform-errors.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const code = (text) => (text === '' ? '' : `\`${text}\``);

/** File → name of a place in it (`<!-- name: … -->` to `<!-- /name -->`) → rows, the first is the head. */
const TABLES = {
  'README.md': {
    settings: [
      ['variable', 'default', 'meaning'],
      ...Object.values(SETTINGS).map(({ variable, fallback, meaning }) => [
        code(variable),
        code(fallback),
        meaning,
      ]),
    ],
  },
  'docs/errors.md': {
    errors: [
      ['id', 'status', 'meaning'],
      ...Object.entries(ERROR_CODES).map(([id, { status, meaning }]) => [code(id), String(status), meaning]),
    ],
    'platform-errors': [
      ['code', 'name', 'meaning'],
      ...Object.entries(PLATFORM_ERRORS).map(([id, { name = '', meaning }]) => [code(id), name, meaning]),
    ],
    'router-errors': [
      ['code', 'description', 'status', 'meaning'],
      ...Object.values(failures).map(({ code: id, desc, cause, status }) => [
        code(id),
        cause === undefined ? desc : `${desc}: ${cause}`,
        String(status),
        FAILURE_ADVICE[id].join('. '),
      ]),
    ],
  },
};

for (const [name, tables] of Object.entries(TABLES)) {
  const file = join(root, name);
  const before = readFileSync(file, 'utf8');
  let after = before;
  for (const [place, rows] of Object.entries(tables)) {
    const pattern = new RegExp(`(<!-- ${place}: [^\\n]*-->\\n)[\\s\\S]*?(<!-- /${place} -->)`);
    if (!pattern.test(after)) throw new Error(`${name} has no place for ${place}.`);
    after = after.replace(pattern, (_all, begin, end) => `${begin}\n${table(rows)}\n\n${end}`);
  }
  if (after === before) continue;
  if (process.argv.includes('--check')) {
    process.stderr.write(`${name} is not what the code says: run \`npm run docs\`.\n`);
    process.exitCode = 1;
  } else writeFileSync(file, after);
}

/** A table in Markdown, its columns aligned as the formatter does it. */
function table([head, ...rows]) {
  const all = [head, head.map(() => '---'), ...rows];
  const widths = head.map((_cell, column) => Math.max(...all.map((row) => row[column].length)));
  return all
    .map((row, index) =>
      row.map((cell, column) => (index === 1 ? '-'.repeat(widths[column]) : cell.padEnd(widths[column]))),
    )
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
