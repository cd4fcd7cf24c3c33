/** Links of the documentation lead somewhere, and the list of decisions has each of them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const DECISIONS = join('docs', 'decisions');
const PAGES = [
  ...['.', 'bench', 'docs', DECISIONS, 'test'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => join(folder, name)),
  ),
  join('drains', 'archive', 'README.md'),
].filter((path) => path.endsWith('.md'));
const decisions = readdirSync(join(ROOT, DECISIONS)).filter((name) => /^\d{4}-/.test(name));

const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
const withoutCode = (text: string): string => text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');

/** A heading's anchor, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/`/g, '')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
const anchorsOf = (page: string): string[] =>
  [
    ...textOf(page)
      .replace(/```[\s\S]*?```/g, '')
      .matchAll(/^#+ (.*)$/gm),
  ].map(([, heading]) => anchorOf(heading));

describe('links of the documentation', () => {
  it('lead to files and headings that there are', () => {
    const links = PAGES.flatMap((page) =>
      [...withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target]) => target)
        .filter((target) => !/^(?:https?|mailto):/.test(target))
        .map((target) => ({ page, target })),
    );
    expect(links.length).toBeGreaterThan(700);
    const broken = links.filter(({ page, target }) => {
      const [path, anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, file))) return true;
      return anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).includes(anchor);
    });
    expect(broken.map(({ page, target }) => `${page}: ${target}`)).toEqual([]);
  });
});

describe('decisions', () => {
  it('are in the list, once each, by their titles’ beginning', () => {
    const listed = [
      ...textOf(join(DECISIONS, 'README.md')).matchAll(/^- \[\d{4}\. .*?\]\((\d{4}-.*?)\)/gm),
    ].map(([, name]) => name);
    expect(listed.sort()).toEqual(decisions.sort());
  });

  it('say at once whether they hold', () => {
    const unclear = decisions.filter((name) => {
      const [title, status] = textOf(join(DECISIONS, name)).split('\n\n');
      return (
        !title.startsWith(`# ${name.slice(0, 4)}. `) || !/^(?:Accepted|Rejected|Replaced)\b/.test(status)
      );
    });
    expect(unclear).toEqual([]);
  });
});
