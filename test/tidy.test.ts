/** The order of the house: who may import whom, how long a file may be, what nothing may be called. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** Folder → folders of src it may import from. What every part may use is in SHARED. */
const ARROWS: Record<string, readonly string[]> = {
  syslog: [],
  store: ['syslog'],
  router: ['store', 'syslog'],
  sources: ['router', 'store', 'syslog'],
  tails: ['store', 'syslog'],
  delivery: ['store', 'syslog'],
  proxy: [],
  runner: [],
  engines: [],
  metrics: ['store', 'syslog'],
  // What runs apps on the server: it puts runner, proxy and records together.
  host: ['platform', 'proxy', 'router', 'runner', 'store'],
  platform: ['store', 'tails', 'delivery', 'router', 'sources'],
  doctor: ['store'],
  cli: ['platform', 'tails', 'delivery', 'runner', 'sources', 'doctor', 'engines'],
};
/** Files right in src/ that have no folder's knowledge in them. */
const SHARED = [
  'errors.ts',
  'folder.ts',
  'settings.ts',
  'setting-values.ts',
  'settings-table.ts',
  'package.ts',
  'authorization.ts',
  'release.ts',
  'within.ts',
  // AssemblyScript's imports have no extension.
  'lane.as',
];
/** They put the parts together, and so know them all. */
const COMPOSITION = ['main.ts', 'app.ts', 'migration.ts'];
const LINES_MAX = 300;
const VAGUE = ['utils', 'util', 'helpers', 'helper', 'types', 'manager', 'common', 'misc'];

interface SourceFile {
  /** From the project's folder, with slashes. */
  readonly path: string;
  readonly text: string;
  /** What it imports of ours, from the project's folder; `type` imports are marked. */
  readonly imports: readonly { path: string; isType: boolean }[];
}

function sources(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const text = readFileSync(file, 'utf8');
      const found = text.matchAll(
        /(?:^|\n)\s*(?:import|export)(\s+type)?[^;]*?from '(\.[^']+)'|import\('(\.[^']+)'\)/g,
      );
      const imports = [...found].map(([, type, from, dynamic]) => ({
        path: slashes(relative(ROOT, join(dirname(file), from ?? dynamic))),
        isType: type !== undefined,
      }));
      return { path: slashes(relative(ROOT, file)), text, imports };
    });
}

const slashes = (path: string): string => path.split(sep).join('/');
const src = sources('src');
const drains = sources('drains');

/** `src/router/router.ts` → `router`; a file right in src/ → its own name. */
const partOf = (path: string): string => path.split('/')[1];

describe('imports', () => {
  it('follow the arrows', () => {
    const wrong = src.flatMap(({ path, imports }) => {
      const from = partOf(path);
      if (COMPOSITION.includes(from)) return [];
      const allowed = [from, ...(ARROWS[from] ?? []), ...SHARED];
      return imports
        .filter(({ path: to }) => !allowed.includes(partOf(to)))
        .filter(({ path: to, isType }) => !isComposing(path, to, isType))
        .map(({ path: to }) => `${path} → ${to}`);
    });
    expect(wrong).toEqual([]);
  });

  it('of drains/ are their own folder and src/syslog alone', () => {
    const wrong = drains.flatMap(({ path, imports }) => {
      const own = path.split('/').slice(0, 2).join('/');
      return imports
        .filter(({ path: to }) => !to.startsWith(`${own}/`) && !to.startsWith('src/syslog/'))
        .map(({ path: to }) => `${path} → ${to}`);
    });
    expect(wrong).toEqual([]);
  });

  it('are found at all', () => {
    expect(src.length).toBeGreaterThan(80);
    expect(src.flatMap(({ imports }) => imports).length).toBeGreaterThan(200);
    for (const folder of Object.keys(ARROWS))
      expect(src.some(({ path }) => partOf(path) === folder)).toBe(true);
  });

  it('nothing hands on what it imported', () => {
    const handingOn = src.filter(({ text }) => /^export (?:\*|\{[^}]*\}) from/m.test(text));
    expect(handingOn.map(({ path }) => path)).toEqual([]);
  });
});

/**
 * `start` and `serve` run a server in their own process, `migrate` works on stores that no server may have open; and the commands
 * may know the shapes of what they get, which cost nothing.
 */
function isComposing(path: string, to: string, isType: boolean): boolean {
  if (path === 'src/cli/migrate.ts' && to === 'src/migration.ts') return true;
  const starts = ['src/cli/start.ts', 'src/cli/serve.ts'].includes(path);
  return (starts && ['src/main.ts', 'src/app.ts'].includes(to)) || (isType && path.startsWith('src/cli/'));
}

describe('files', () => {
  it(`are at most ${LINES_MAX} lines long`, () => {
    // Compiled on its own, so it can't be split.
    const long = [...src, ...drains].filter(
      ({ path, text }) => text.split('\n').length - 1 > LINES_MAX && !path.endsWith('.as.ts'),
    );
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it('and folders are called by what they are', () => {
    const names = [...src, ...drains].flatMap(({ path }) => path.replace(/\.ts$/, '').split('/'));
    expect(names.filter((name) => VAGUE.includes(name))).toEqual([]);
  });
});
