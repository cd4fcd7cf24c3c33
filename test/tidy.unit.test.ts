/** The order of the house: who may import whom, no circles, how many files a folder holds, what nothing may be called, what has to be described. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** Room of src → rooms it may import from. `typesOnly`: what it may know the shapes of. */
const ROOMS: Record<string, { readonly imports: readonly string[]; readonly typesOnly?: readonly string[] }> =
  {
    common: { imports: [] },
    logs: { imports: ['common'] },
    apps: { imports: ['common', 'logs'] },
    api: { imports: ['common', 'logs', 'apps'] },
    cli: { imports: ['common', 'logs', 'apps'], typesOnly: ['api'] },
    // A program of the browser: it talks HTTP and WebSocket to the API.
    web: { imports: [] },
  };
/** Folder of src/logs → folders of src/logs it may import from. */
const LOGS: Record<string, readonly string[]> = {
  syslog: [],
  store: ['syslog'],
  router: ['store', 'syslog'],
  sources: ['router', 'store', 'syslog'],
  query: ['syslog'],
  tails: ['query', 'store', 'syslog'],
  drains: ['query', 'store', 'syslog'],
  metrics: ['store', 'syslog'],
  backup: ['store', 'syslog'],
  // People, passwords, browsers: of whoever runs a router or the viewer.
  access: ['store'],
  // Opens them together.
  composition: ['metrics', 'router', 'sources', 'store', 'syslog', 'tails'],
};
/** They put the rooms together, and so know them all. */
const COMPOSITION = ['server', 'server.ts', 'start-local-app.ts', 'migration.ts'];
/** Commands that compose: `start` and `serve` run a server in their own process, `migrate`, `backup` and `restore` work on stores that no server has open. */
const COMPOSING: Record<string, readonly string[]> = {
  'src/cli/server/start.ts': ['src/server.ts', 'src/start-local-app.ts'],
  'src/cli/server/serve.ts': ['src/server.ts'],
  'src/cli/server/migrate.ts': ['src/migration.ts'],
  'src/cli/upkeep/backup.ts': ['src/migration.ts'],
  'src/cli/upkeep/restore.ts': ['src/migration.ts'],
};
/** The one grammar of times and of searches, the one back-off and what is shown by its name are the page's too: pure, and bundled into it. */
const SHARED_WITH_WEB = [
  'src/common/backoff.ts',
  'src/common/text/capitalize.ts',
  'src/common/text/error-message.ts',
  'src/common/text/format-numbers.ts',
  'src/common/text/event-stream-parser.ts',
  'src/common/text/hidden-characters.ts',
  'src/common/time-expression.ts',
  'src/logs/query/field-scanner.ts',
  'src/logs/query/quantity.ts',
  'src/logs/query/query-parser.ts',
  'src/logs/query/query-printer.ts',
  'src/logs/query/query-syntax.ts',
  'src/logs/query/query-times.ts',
  'src/logs/query/search-hint.ts',
  'src/logs/query/text-pattern.ts',
  'src/logs/syslog/event-lines.ts',
];
const FILES_MAX = 15;
/** What opens sockets or starts programs: a test that imports one of them, itself or through what it imports of test/, is no unit test. */
const SERVER_MODULES =
  /^(?:node:(?:child_process|cluster|dgram|https?|http2|net|tls|worker_threads)|@lydell\/node-pty|fastify|ioredis|playwright-core|undici|ws)$/;
/** Tests that start programs through what they import of src/, or wait for a disk, a clock or the processor for a second: unit tests are for while one works. */
const STARTS_PROGRAMS = [
  'test/apps/addon-services/errors/error-state.test.ts',
  'test/apps/addon-services/errors/error-store.test.ts',
  'test/apps/forwarder/files/file-follower.test.ts',
  'test/apps/host/addons/addon-removal.test.ts',
  'test/apps/processes/formation.test.ts',
  'test/apps/processes/output/attached-process.test.ts',
  'test/drains/viewer/archive/archiver.test.ts',
  'test/drains/viewer/archive/search-archive.test.ts',
  'test/drains/viewer/people.test.ts',
  'test/drains/viewer/store/deletion.test.ts',
  'test/drains/viewer/store/keeping.test.ts',
  'test/drains/viewer/store/searching.test.ts',
  'test/drains/viewer/viewer-decisions.test.ts',
  'test/logs/drains/damaged-stream.test.ts',
  'test/logs/router/batcher.test.ts',
  'test/logs/router/open-batches.test.ts',
  'test/logs/store/conformance/embedded-disk.test.ts',
  'test/logs/store/conformance/embedded.test.ts',
  'test/logs/store/embedded/commit-log.test.ts',
  'test/logs/store/embedded/damage.test.ts',
  'test/logs/store/embedded/lmdb-pages.test.ts',
  'test/logs/syslog/wasm-codec.test.ts',
  'test/logs/tails/history/events-in-files.test.ts',
  'test/logs/tails/history/file-search.test.ts',
  'test/torture/corruption/corruption.test.ts',
];
const VAGUE = ['utils', 'util', 'helpers', 'helper', 'types', 'manager', 'misc'];

interface SourceFile {
  /** From the project's folder, with slashes. */
  readonly path: string;
  readonly text: string;
  /** What it imports of ours, from the project's folder; `type` imports are marked. */
  readonly imports: readonly { path: string; isType: boolean }[];
}

const slashes = (path: string): string => path.split(sep).join('/');

/** What begins with a dot is nobody's: benches have folders there, which come and go. */
function filesOf(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.'))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return filesOf(path, pattern);
      return entry.isFile() && pattern.test(entry.name) ? [path] : [];
    });
}

function sources(folder: string): SourceFile[] {
  return filesOf(folder, /\.tsx?$/).map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const found = text.matchAll(
      /(?:^|\n)\s*(?:import|export)(\s+type)?[^;]*?from '(\.[^']+)'|import\('(\.[^']+)'\)|(?:^|\n)import '(\.[^']+)'/g,
    );
    const imports = [...found].map(([, type, from, dynamic, effect]) => ({
      path: slashes(relative(ROOT, join(ROOT, dirname(path), from ?? dynamic ?? effect))),
      isType: type !== undefined,
    }));
    return { path, text, imports };
  });
}

const src = sources('src');
const drains = sources('drains');
const testsAndBenches = [...sources('test'), ...sources('bench')];
const isComposition = (path: string): boolean => COMPOSITION.includes(roomOf(path));

/** `src/logs/router/router.ts` → `logs`; a file right in src/ → its own name. */
const roomOf = (path: string): string => path.split('/')[1];

/** Every circle of a graph once, as the names along it. */
function circles(graph: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): void => {
    const at = path.indexOf(node);
    if (at >= 0) {
      const circle = path.slice(at);
      const first = circle.indexOf([...circle].sort()[0]);
      found.add([...circle.slice(first), ...circle.slice(0, first)].join(' → '));
      return;
    }
    if (done.has(node)) return;
    for (const next of graph.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return [...found];
}

function addTo(graph: Map<string, Set<string>>, from: string, to: string): void {
  const all = graph.get(from) ?? new Set();
  graph.set(from, all.add(to));
}

describe('imports', () => {
  it('follow the arrows between the rooms', () => {
    const wrong = src
      .filter(({ path }) => !isComposition(path))
      .flatMap(({ path, imports }) => {
        const from = roomOf(path);
        const { imports: allowed, typesOnly = [] } = ROOMS[from] ?? { imports: [] };
        return imports
          .filter(({ path: to, isType }) => {
            const room = roomOf(to);
            if (room === from || allowed.includes(room) || COMPOSING[path]?.includes(to)) return false;
            if (from === 'web' && SHARED_WITH_WEB.includes(to)) return false;
            return !(isType && (typesOnly.includes(room) || (from === 'cli' && isComposition(to))));
          })
          .map(({ path: to }) => `${path} → ${to}`);
      });
    expect(wrong).toEqual([]);
  });

  it('follow the arrows within src/logs', () => {
    const part = (path: string): string => path.split('/')[2];
    const wrong = src
      .filter(({ path }) => path.startsWith('src/logs/'))
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ path: to }) => to.startsWith('src/logs/'))
          .filter(({ path: to }) => part(to) !== part(path) && !LOGS[part(path)]?.includes(part(to)))
          .map(({ path: to }) => `${path} → ${to}`),
      );
    expect(wrong).toEqual([]);
  });

  it('of drains/ are their own folder, and what they share with the log router', () => {
    const wrong = drains.flatMap(({ path, imports }) => {
      const own = path.split('/').slice(0, 2).join('/');
      return imports
        .filter(({ path: to }) => !to.startsWith(`${own}/`) && !/^src\/(?:common|logs)\//.test(to))
        .map(({ path: to }) => `${path} → ${to}`);
    });
    expect(wrong).toEqual([]);
  });

  it('make no circle of files', () => {
    const graph = new Map<string, Set<string>>();
    for (const { path, imports } of [...src, ...drains])
      for (const { path: to } of imports) addTo(graph, path, to);
    expect(circles(graph)).toEqual([]);
  });

  it('make no circle of sibling folders', () => {
    // A file's folder, and every folder around it, against what stands beside it.
    const graphs = new Map<string, Map<string, Set<string>>>();
    for (const { path, imports } of [...src, ...drains])
      for (const { path: to } of imports) {
        const from = path.split('/').slice(0, -1);
        const target = to.split('/').slice(0, -1);
        let depth = 0;
        while (depth < from.length && from[depth] === target[depth]) depth++;
        if (depth >= from.length || depth >= target.length) continue;
        const parent = from.slice(0, depth).join('/');
        const graph = graphs.get(parent) ?? new Map<string, Set<string>>();
        addTo(graph, from[depth], target[depth]);
        graphs.set(parent, graph);
      }
    const found = [...graphs].flatMap(([parent, graph]) =>
      circles(graph).map((circle) => `${parent}: ${circle}`),
    );
    expect(found).toEqual([]);
  });

  it('are none in what the browser’s program shares', () => {
    const shared = src.filter(({ path }) => SHARED_WITH_WEB.includes(path));
    const imported = shared.flatMap(({ imports }) => imports.map(({ path }) => path));
    expect(imported.filter((path) => !SHARED_WITH_WEB.includes(path))).toEqual([]);
    // Neither Node's modules nor packages.
    for (const { text } of shared) expect(text).not.toMatch(/^(?:import|\}) .*from '[^.]/m);
  });

  it('are found at all', () => {
    expect(src.length).toBeGreaterThan(300);
    expect(src.some(({ path }) => path.endsWith('.tsx'))).toBe(true);
    expect(src.flatMap(({ imports }) => imports).length).toBeGreaterThan(1_000);
    for (const room of Object.keys(ROOMS)) expect(src.some(({ path }) => roomOf(path) === room)).toBe(true);
    expect(
      circles(
        new Map([
          ['a', new Set(['b'])],
          ['b', new Set(['c'])],
          ['c', new Set(['b'])],
        ]),
      ),
    ).toEqual(['b → c']);
  });

  it('nothing hands on what it imported', () => {
    const handingOn = src.filter(({ text }) => /^export (?:\*|\{[^}]*\}) from/m.test(text));
    expect(handingOn.map(({ path }) => path)).toEqual([]);
  });
});

describe('tests', () => {
  const texts = new Map(
    filesOf('test', /\.ts$/).map((path) => [path, readFileSync(join(ROOT, path), 'utf8')] as const),
  );
  /** What a file of test/ imports, itself and through other files of test/. */
  const importsOf = (path: string, seen = new Set<string>()): Set<string> => {
    for (const [, from] of texts.get(path)?.matchAll(/^import (?!type )[^;]*?from '([^']+)'/gm) ?? []) {
      const target = from.startsWith('.') ? slashes(relative(ROOT, join(ROOT, dirname(path), from))) : from;
      if (seen.has(target)) continue;
      seen.add(target);
      importsOf(target, seen);
    }
    return seen;
  };
  const needsServer = (path: string): boolean =>
    STARTS_PROGRAMS.includes(path) || [...importsOf(path)].some((name) => SERVER_MODULES.test(name));
  const tests = [...texts.keys()].filter((path) => path.endsWith('.test.ts'));
  const isUnit = (path: string): boolean => path.endsWith('.unit.test.ts');

  it('called .unit.test.ts need no server and no program', () => {
    expect(tests.filter((path) => isUnit(path) && needsServer(path))).toEqual([]);
  });

  it('that need no server and no program are called .unit.test.ts', () => {
    expect(tests.filter((path) => !isUnit(path) && !needsServer(path))).toEqual([]);
  });

  it('are found at all', () => {
    expect(tests.filter(isUnit).length).toBeGreaterThan(50);
    expect(tests.filter((path) => !isUnit(path)).length).toBeGreaterThan(100);
    expect(STARTS_PROGRAMS.filter((path) => !tests.includes(path))).toEqual([]);
  });
});

describe('names', () => {
  it('of what is exported are unique in src', () => {
    const files = new Map<string, Set<string>>();
    for (const { path, text } of src)
      for (const [, name] of text.matchAll(
        /^export (?:abstract |async |declare )*(?:function\*?|class|const|let|interface|type|enum) +([\w$]+)/gm,
      ))
        files.set(name, (files.get(name) ?? new Set()).add(path));
    // Each AssemblyScript module exports what its loader calls; they are compiled on their own.
    const twice = [...files]
      .map(([name, all]) => [name, [...all].filter((path) => !path.endsWith('.as.ts'))] as const)
      .filter(([, all]) => all.length > 1);
    expect(twice).toEqual([]);
    expect(files.size).toBeGreaterThan(500);
  });

  it('of files and folders say what they are', () => {
    const names = [...src, ...drains].flatMap(({ path }) => path.replace(/\.tsx?$/, '').split('/'));
    expect(names.filter((name) => VAGUE.includes(name))).toEqual([]);
  });

  it('of private members have the word private in front, not a #', () => {
    const all = [...src, ...drains, ...testsAndBenches];
    expect(all.filter(({ text }) => /\bthis\??\.#\w/.test(text)).map(({ path }) => path)).toEqual([]);
    const members = all.flatMap(
      ({ text }) => text.match(/^ +private (?:static |readonly |async )*\w+/gm) ?? [],
    );
    expect(members.length).toBeGreaterThan(3_000);
  });

  it(`of more than ${FILES_MAX} files aren’t in one folder`, () => {
    const counts = new Map<string, number>();
    for (const folder of ['src', 'drains', 'test', 'bench'])
      for (const path of filesOf(folder, /./))
        counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
    expect([...counts].filter(([, count]) => count > FILES_MAX)).toEqual([]);
  });
});

describe('exports', () => {
  it('of functions, classes and constants are imported by somebody', () => {
    const imported = new Set<string>();
    for (const { text } of [...src, ...drains, ...testsAndBenches]) {
      const clauses = text.match(/^import [^;]*?\{[^}]*\}/gm) ?? [];
      // What is imported when it is needed is named somewhere behind that.
      const named = text.includes(' import(') ? [text] : clauses;
      for (const part of named) for (const [name] of part.matchAll(/[\w$]+/g)) imported.add(name);
    }
    const exported = [...src, ...drains]
      // What AssemblyScript exports is called by its loader, and the program of programs by bin/.
      .filter(({ path }) => !/(?:\.as|\.d|-binary|\/load-program)\.ts$/.test(path))
      .flatMap(({ path, text }) =>
        [
          ...text.matchAll(/^export (?:abstract |async )*(?:function\*?|class|const|let|enum) +([\w$]+)/gm),
        ].map(([, name]) => ({ path, name })),
      );
    const unused = exported.filter(({ name }) => !imported.has(name));
    expect(unused.map(({ path, name }) => `${path}: ${name}`)).toEqual([]);
    expect(exported.length).toBeGreaterThan(2_000);
  });
});

describe('apostrophes', () => {
  const curly = /[\w\x60>)]’/;
  const straight = /[a-z]'(?:s|t|re|ve|ll)\b/;
  /** Lines, but for comments. */
  const codeOf = ({ text }: SourceFile): string[] =>
    text
      .split('\n')
      .filter((line) => !/^\s*(?:\/?\*|\/\/)/.test(line))
      .map((line) => line.replace(/ \/\/ .*/, ''));
  const having = (files: readonly SourceFile[], pattern: RegExp): string[] =>
    files.flatMap((file) =>
      codeOf(file)
        .filter((line) => pattern.test(line))
        .map((line) => `${file.path}: ${line.trim()}`),
    );

  it('are straight in messages and documentation, and curly on pages', () => {
    const pages = src.filter(({ path }) => path.startsWith('src/web/'));
    const messages = [...src.filter((file) => !pages.includes(file)), ...drains];
    const texts = ['README.md', 'CHANGELOG.md', ...filesOf('docs', /\.md$/)];
    expect(having(messages, curly)).toEqual([]);
    expect(texts.filter((path) => curly.test(readFileSync(join(ROOT, path), 'utf8')))).toEqual([]);
    expect(having(pages, straight)).toEqual([]);
    expect(having(messages, straight).length).toBeGreaterThan(300);
    expect(having(pages, curly).length).toBeGreaterThan(10);
  });
});

describe('functions', () => {
  it('are written once: none stands in another file, word for word, under this name or another', () => {
    const places = new Map<string, string[]>();
    // The AssemblyScript modules are compiled on their own.
    for (const { path, text } of [...src, ...drains].filter((file) => !file.path.endsWith('.as.ts')))
      for (const [, name, body] of text.matchAll(
        /^(?:export )?(?:async )?function\*? (\w+)(\([\s\S]*?\n\}$)/gm,
      )) {
        const words = body.replace(/\s+/g, ' ');
        places.set(words, [...(places.get(words) ?? []), `${path}: ${name}`]);
      }
    expect([...places.values()].filter((all) => all.length > 1)).toEqual([]);
    expect(places.size).toBeGreaterThan(2_000);
  });
});

describe('docstrings', () => {
  /** What a file exports: functions, those with several signatures once, and classes, with whether a docstring stands in front. */
  const exportsOf = ({ text }: SourceFile): ReadonlyMap<string, boolean> => {
    const found = new Map<string, boolean>();
    for (const { 1: name, index } of text.matchAll(
      /^export (?:default |abstract |async )*(?:function\*?|class) +([\w$]+)/gm,
    )) {
      const before = text.slice(0, index).trimEnd();
      const isDocumented =
        before.endsWith('*/') && before.lastIndexOf('/**') > before.lastIndexOf('*/', -3 + before.length);
      found.set(name, isDocumented || found.get(name) === true);
    }
    return found;
  };
  // The AssemblyScript modules are compiled on their own; what is built of them is bytes.
  const written = [...src, ...drains].filter(({ path }) => !/(?:\.as|\.d|-binary)\.ts$/.test(path));

  it('are in front of exported functions and classes, or at the head of a file that exports one', () => {
    const without = written.flatMap((file) => {
      const exported = exportsOf(file);
      if (exported.size === 1 && file.text.startsWith('/**')) return [];
      return [...exported]
        .filter(([, isDocumented]) => !isDocumented)
        .map(([name]) => `${file.path}: ${name}`);
    });
    expect(without).toEqual([]);
  });

  it('are found at all', () => {
    const all = written.flatMap((file) => [...exportsOf(file).values()]);
    expect(all.filter(Boolean).length).toBeGreaterThan(1_000);
    const isDocumented = (before: string): boolean | undefined =>
      exportsOf({ path: '', imports: [], text: `${before}\nexport function one(): void {}` }).get('one');
    expect(isDocumented('/** Of `src/*`. */')).toBe(true);
    expect(isDocumented('/** Two. */\nexport const two = 2;')).toBe(false);
    expect(isDocumented('/** Two. */\nconst two = 2;\n/* No docstring. */')).toBe(false);
    expect(isDocumented('// No docstring.')).toBe(false);
  });
});
