/** Writes the tables of the documentation that are made from the code: the settings into README.md. --check: only compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SETTINGS } from '../dist/src/common/config/settings-table.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const file = join(root, 'README.md');
const rows = Object.values(SETTINGS).map(
  ({ variable, fallback, meaning }) =>
    `| \`${variable}\` | ${fallback ? `\`${fallback}\`` : ''} | ${meaning} |`,
);
const table = ['| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
const text = readFileSync(file, 'utf8');
const made = text.replace(/(<!-- settings: [^\n]*-->\n)[\s\S]*?(<!-- \/settings -->)/, `$1\n${table}\n\n$2`);
if (process.argv.includes('--check')) process.exitCode = made === text ? 0 : 1;
else writeFileSync(file, made);
