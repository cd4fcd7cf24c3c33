/**
 * Loads a program of the bundle with what V8 has compiled of it before, which is most of the processor time of a start. What was
 * compiled is kept beside the bundle, where whoever starts it may write there: nobody else could change what is run.
 * ([0091](../../../docs/decisions/0091-a-start-takes-compiled-code.md))
 */
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

interface LoadedModule {
  exports: unknown;
}

type Wrapper = (
  this: unknown,
  exports: unknown,
  require: NodeJS.Require,
  module: LoadedModule,
  __filename: string,
  __dirname: string,
) => void;

/** Checksums of the source and of what was compiled of it. */
const HEADER_BYTES = 8;

/**
 * Loads `parts/<name>` of a folder, with what it requires of its own parts.
 * @param folder the bundle's
 */
export function loadProgram(folder: string, name: string): void {
  const parts = join(folder, 'parts');
  // What is compiled depends on V8's version, its flags and the processor.
  const cache = join(folder, 'cache', String(cachedDataVersionTag()));
  const nodeRequire = createRequire(join(parts, name));
  const modules = new Map<string, LoadedModule>();
  const compiledHere = new Map<string, { script: Script; source: Buffer }>();

  const requirePart = (from: string): NodeJS.Require =>
    Object.assign((id: string): unknown => {
      const file = id.startsWith('./') || id.startsWith('../') ? resolve(dirname(from), id) : id;
      return dirname(file) === parts && file.endsWith('.js') ? load(file) : nodeRequire(file);
    }, nodeRequire);

  const load = (file: string): unknown => {
    const known = modules.get(file);
    if (known) return known.exports;
    const module: LoadedModule = { exports: {} };
    modules.set(file, module);
    try {
      const wrapper = compile(file).runInThisContext() as Wrapper;
      wrapper.call(module.exports, module.exports, requirePart(file), module, file, parts);
    } catch (error) {
      modules.delete(file);
      throw error;
    }
    return module.exports;
  };

  const compile = (file: string): Script => {
    const source = readFileSync(file);
    const cachedData = readCompiled(join(cache, basename(file)), source);
    const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
      filename: file,
      cachedData,
    });
    if (!cachedData || script.cachedDataRejected) compiledHere.set(basename(file), { script, source });
    return script;
  };

  // In the end more has been compiled: functions are when they are called first.
  process.once('exit', () => {
    if (compiledHere.size > 0) keepCompiled(cache, compiledHere);
  });
  load(join(parts, name));
}

/** What was kept, when it is whole and of this source. */
function readCompiled(file: string, source: Buffer): Buffer | undefined {
  try {
    const kept = readFileSync(file);
    const data = kept.subarray(HEADER_BYTES);
    return kept.readUInt32LE(0) === crc32(source) && kept.readUInt32LE(4) === crc32(data) ? data : undefined;
  } catch {
    return undefined; // There is none, or a part of one.
  }
}

/** Each file appears as a whole. Whoever may not write there, or has no space, does without. */
function keepCompiled(
  cache: string,
  compiled: ReadonlyMap<string, { script: Script; source: Buffer }>,
): void {
  try {
    accessSync(dirname(dirname(cache)), constants.W_OK);
    mkdirSync(cache, { recursive: true });
    const unfinished = mkdtempSync(join(cache, '.unfinished-'));
    try {
      for (const [name, { script, source }] of compiled) {
        const data = script.createCachedData();
        const header = Buffer.alloc(HEADER_BYTES);
        header.writeUInt32LE(crc32(source), 0);
        header.writeUInt32LE(crc32(data), 4);
        writeFileSync(join(unfinished, name), Buffer.concat([header, data]));
        renameSync(join(unfinished, name), join(cache, name));
      }
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  } catch {
    // It is only slower without.
  }
}
