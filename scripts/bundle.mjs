/**
 * Puts the programs that are started again and again into a few files each, with the packages they use: a server that
 * loads nearly 600 modules one by one needs twice the processor time until it is ready. It is also all that the npm package holds
 * of them: what is installed with it is LEFT_OUT and the binaries of `lmdb`
 * (docs/decisions/0073-what-is-installed-is-one-bundle.md).
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { rolldown } from 'rolldown';

/** They have binaries of their own beside them. */
const LEFT_OUT = ['@lydell/node-pty', '@node-rs/crc32'];

const HTTP2_LATER = `const http2 = {
  get constants() { return require('node:http2').constants },
  connect: (...args) => require('node:http2').connect(...args),
  createServer: (...args) => require('node:http2').createServer(...args),
  createSecureServer: (...args) => require('node:http2').createSecureServer(...args)
}`;

/**
 * V8 keeps the source of what it runs in memory, with two bytes for each character as soon as one of them isn't Latin-1: they are escaped,
 * and what is written about functions is left out.
 */
const SMALL_SOURCE = { charset: 'ascii', comments: { jsdoc: false } };

/** Bundles what the compiler has left in `dist/src` and `dist/drains`, into `dist/bundle`. */
export async function bundle(root) {
  const program = (...path) => join(root, 'dist', 'src', ...path);
  const drain = (name) => join(root, 'dist', 'drains', name, 'main.js');
  const built = await rolldown({
    input: {
      tailrace: program('cli', 'main.js'),
      'pre-receive': program('apps', 'build', 'pre-receive.js'),
      keeper: program('apps', 'processes', 'keeper', 'main.js'),
      'parsing-worker': program('logs', 'sources', 'bodies', 'parsing-worker.js'),
      'scan-worker': program('logs', 'tails', 'history', 'scan-worker.js'),
      'addon-errors': program('apps', 'addon-services', 'errors', 'main.js'),
      'addon-metrics': program('apps', 'addon-services', 'metrics', 'main.js'),
      'addon-mail': program('apps', 'addon-services', 'mail', 'main.js'),
      'addon-mail-parser': program('apps', 'addon-services', 'mail', 'parsing', 'mail-worker.js'),
      'viewer-store-worker': join(root, 'dist', 'drains', 'viewer', 'store', 'jobs', 'job-worker.js'),
      'remove-ignored': program('apps', 'build', 'remove-ignored.js'),
      viewer: drain('viewer'),
      archive: drain('archive'),
    },
    platform: 'node',
    external: LEFT_OUT,
    plugins: [bundlesRequired(root), findsLmdbBinary(root), trimsUndici(), doesLater(), requiresOnly()],
    // Optional packages that aren't there, and `eval` in packages: both are as they should be.
    checks: { eval: false },
  });
  const folder = join(root, 'dist', 'bundle');
  const written = await built.write({
    ...SMALL_SOURCE,
    dir: folder,
    // Of modules V8 takes nothing that was compiled before: see src/common/program/load-program.ts.
    format: 'cjs',
    entryFileNames: 'parts/[name]-[hash].js',
    chunkFileNames: 'parts/[name]-[hash].js',
    cleanDir: true,
  });
  await built.close();
  await bundleAlone(program('common', 'program', 'load-program.js'), folder, 'cjs', 'load-program.js');
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  for (const { isEntry, name, fileName } of written.output)
    if (isEntry)
      writeFileSync(
        join(folder, `${name}.js`),
        `#!/usr/bin/env node\nrequire('./load-program.js').loadProgram(__dirname, '${basename(fileName)}');\n`,
      );
  // Where they are documented to be; the bundle starts faster.
  for (const name of ['viewer', 'archive'])
    writeFileSync(drain(name), `#!/usr/bin/env node\nimport '../../bundle/${name}.js';\n`);
  // It goes into slugs, alone.
  const { output } = await bundleAlone(
    program('apps', 'build', 'static', 'static-server.js'),
    join(folder, 'static-server'),
    'esm',
    'static-server.mjs',
  );
  mkdirSync(join(folder, 'lmdb'), { recursive: true });
  // By its name the binary is found: `@lmdb/lmdb-<platform>-<processor>`.
  writeFileSync(join(folder, 'lmdb', 'package.json'), `${JSON.stringify({ name: 'lmdb' })}\n`);
  writeLicenses(root, [...written.output, ...output]);
}

/** Puts a program, or a module, and all that it needs into one file. */
async function bundleAlone(input, folder, format, name) {
  const built = await rolldown({ input, platform: 'node' });
  const written = await built.write({ ...SMALL_SOURCE, dir: folder, format, entryFileNames: name });
  await built.close();
  return written;
}

/** What our own modules load only when it is needed, with a `require` that they make, is bundled as well. */
function bundlesRequired(root) {
  const own = [join(root, 'dist', 'src'), join(root, 'dist', 'drains')];
  return {
    name: 'bundles-required',
    transform(code, id) {
      if (!own.some((folder) => id.startsWith(folder)) || !code.includes('createRequire(import.meta.url)'))
        return null;
      return code
        .replaceAll(/^\s*const require = createRequire\(import\.meta\.url\);$/gm, '')
        .replaceAll('createRequire(import.meta.url)(', 'require(');
    },
  };
}

/**
 * `lmdb` looks for its binary from its own folder, which an installed Tailrace hasn't: npm would ask there whether its install
 * script may run. In a checkout the one that is installed, or was compiled, there is taken.
 */
function findsLmdbBinary(root) {
  const loader = 'node-gyp-build-optional-packages';
  const ours = '\0lmdb-binary';
  return {
    name: 'finds-lmdb-binary',
    resolveId(source, importer) {
      return source === loader && importer?.includes(join('node_modules', 'lmdb')) ? ours : null;
    },
    load(id) {
      if (id !== ours) return null;
      const real = createRequire(join(root, 'node_modules', 'lmdb', 'native.js')).resolve(loader);
      return `
        import { existsSync } from 'node:fs';
        import { basename, join } from 'node:path';
        import load from ${JSON.stringify(real)};
        import { PACKAGE_ROOT } from ${JSON.stringify(join(root, 'dist', 'src', 'common', 'package-info.js'))};
        const checkout = join(PACKAGE_ROOT, 'node_modules', 'lmdb');
        export default () => load(existsSync(checkout) ? checkout : join(PACKAGE_ROOT, 'dist', 'bundle', 'lmdb'));
      `;
    },
  };
}

/**
 * `undici` loads all that it has at once, which is a third of the time of a short command: mocks, caches, cookies and WebSockets too, which
 * nobody asks it for and which are left out, and `fetch`, which is loaded when it is asked for.
 */
function trimsUndici() {
  const unused = String.raw`require\('\./lib/(?:mock|cache|interceptor|web/(?:cache|cookies|eventsource|websocket|fetch(?=/(?:global|data-url))))(?:/[^']*)?'\)`;
  const fetching = String.raw`require\('\./lib/web/fetch[^']*'\)`;
  const constant = (part) => new RegExp(`^const (\\w+|\\{[^}]+\\}) = ${part}(?:\\.\\w+)?$`, 'gm');
  return {
    name: 'trims-undici',
    transform(code, id) {
      if (!/[\\/]node_modules[\\/]undici[\\/]index\.js$/.test(id)) return null;
      const names = [...code.matchAll(constant(unused))].flatMap(([, of]) => of.match(/\w+/g));
      const trimmed = code
        .replaceAll(constant(unused), '')
        .replaceAll(
          new RegExp(
            `^module\\.exports\\.\\w+ = (?:new )?(?:${unused}.*|(?:${names.join('|')})\\b.*)$`,
            'gm',
          ),
          '',
        )
        .replaceAll(/^module\.exports\.(?:interceptors|cacheStores) = \{[^}]*\}$/gm, '')
        .replaceAll(/^module\.exports\.cacheStores\..*$/gm, '')
        .replace(
          new RegExp(`^const fetchImpl = (${fetching}\\.fetch)$`, 'm'),
          (_, value) => `const fetchImpl = (...request) => ${value}(...request)`,
        )
        .replaceAll(
          new RegExp(`^(module\\.exports)\\.(\\w+) = (${fetching}\\.\\w+)$`, 'gm'),
          (_, of, name, value) =>
            `Object.defineProperty(${of}, '${name}', { enumerable: true, configurable: true, get: () => ${value} })`,
        );
      if (
        names.length < 10 ||
        new RegExp(unused).test(trimmed) ||
        !trimmed.includes('const fetchImpl = (...')
      )
        throw new Error('undici/index.js is not what it was: see trimsUndici.');
      return trimmed;
    },
  };
}

/**
 * What packages do at each start and few need, they do when it is asked for:
 * - `find-my-way` writes functions for each of its nodes and routes, hundreds of them, and has them compiled. A prefix is compared without any.
 * - HTTP/2, which nobody asks for, is loaded with all that it needs.
 * - So is OpenTelemetry, which says whose request a metric is an example of.
 */
function doesLater() {
  const own = (file) => join('node_modules', ...file.split('/'));
  const later = {
    'find-my-way/lib/node.js': [
      [
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is theirs
        "return new Function('path', 'i', `'use strict'\\nreturn ${lines.join(' && ')}`)",
        'return (path, i) => path.startsWith(prefix, i)',
      ],
    ],
    'find-my-way/lib/handler-storage.js': [
      [
        '_createParamsObject: this._compileCreateParamsObject(params)',
        '_createParamsObject: (...values) => (handlerObject._createParamsObject = this._compileCreateParamsObject(params))(...values)',
      ],
      [
        "this._getHandlerMatchingConstraints = new Function('derivedConstraints', lines.join('\\n'))",
        `this._getHandlerMatchingConstraints = (derivedConstraints) => {
          this._getHandlerMatchingConstraints = new Function('derivedConstraints', lines.join('\\n'))
          return this._getHandlerMatchingConstraints(derivedConstraints)
        }`,
      ],
    ],
    'undici/lib/dispatcher/client.js': [
      [
        "const connectH2 = require('./client-h2.js')",
        "const connectH2 = (...args) => require('./client-h2.js')(...args)",
      ],
    ],
    'prom-client/lib/metrics/processCpuTotal.js': [
      ["const OtelApi = require('@opentelemetry/api');", ''],
      [
        'OtelApi.trace.getSpan(OtelApi.context.active())',
        "require('@opentelemetry/api').trace.getActiveSpan()",
      ],
    ],
    'fastify/lib/server.js': [["const http2 = require('node:http2')", HTTP2_LATER]],
    '@fastify/reply-from/lib/request.js': [["const http2 = require('node:http2')", HTTP2_LATER]],
    '@fastify/reply-from/index.js': [
      ["const http2 = require('node:http2')", ''],
      // RFC 9113 section 7
      ['const { NGHTTP2_CANCEL } = http2.constants', 'const NGHTTP2_CANCEL = 8'],
    ],
  };
  return {
    name: 'does-later',
    transform(code, id) {
      const file = Object.keys(later).find((name) => id.endsWith(own(name)));
      return (later[file] ?? []).reduce((changed, [now, then]) => {
        if (!changed.includes(now)) throw new Error(`${file} is not what it was: see doesLater.`);
        return changed.replace(now, () => then);
      }, code);
    },
  };
}

/** What is compiled before can't import: Node.js warns of it. Modules of Node.js are required as well as others. */
function requiresOnly() {
  return {
    name: 'requires-only',
    renderChunk(code) {
      return code.replaceAll(
        /\bimport\(("(?:node:)?[a-z][a-z/_]*")\)/g,
        'Promise.resolve().then(() => require($1))',
      );
    },
  };
}

/** The packages in the bundle, as `{ name: version }` in packages.json, and their licenses in one text. */
function writeLicenses(root, output) {
  const inNodeModules = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/;
  const folders = new Set(
    output.flatMap(({ moduleIds = [] }) => moduleIds.flatMap((id) => inNodeModules.exec(id)?.[1] ?? [])),
  );
  const packages = {};
  const texts = [];
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    packages[name] = version;
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), 'utf8') : `License: ${license}`;
    texts.push(`${name} ${version}\n\n${text.trim()}\n`);
  }
  const folder = join(root, 'dist', 'bundle');
  writeFileSync(join(folder, 'packages.json'), `${JSON.stringify(packages, null, 2)}\n`);
  writeFileSync(join(folder, 'LICENSES.txt'), texts.join(`\n${'-'.repeat(80)}\n\n`));
}
