/**
 * Commands of `tailrace`, one after the other, in a process that stays: Node.js starts once for them, and the parts of the bundle are compiled
 * once. Each command evaluates all modules anew, so that nothing of the one before is left in them, and has ended when the event loop is empty, as a
 * process would. Behind its output a mark is written to both outputs.
 */
import { readFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { Script } from 'node:vm';

const [, , COMMAND] = process.argv;
const BUNDLE = dirname(COMMAND);
const PARTS = join(BUNDLE, 'parts');
const [, FIRST_PART] = /loadProgram\(__dirname, '([^']+)'\)/.exec(readFileSync(COMMAND, 'utf8'));
const own = createRequire(COMMAND);
const scripts = new Map();
const exit = process.exit.bind(process);
let mark;

process.exit = (code) => {
  const status = Number(code ?? process.exitCode ?? 0);
  writeMarks();
  process.send({ status, isLast: true }, () => exit(status));
  process.exit = () => {};
  throw new Error('the command has ended');
};

process.on('message', (command) => {
  mark = command.mark;
  process.exitCode = undefined;
  process.argv = [process.argv[0], COMMAND, ...command.args];
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, command.env);
  process.chdir(command.cwd);
  const stdin = Readable.from([]);
  Object.defineProperty(process, 'stdin', { value: stdin, configurable: true });
  const listeners = listenersOf([process, process.stdout, process.stderr]);
  const onEmpty = () => {
    process.off('beforeExit', onEmpty);
    for (const listener of process.listeners('exit'))
      if (!listeners[0].kept.get('exit')?.includes(listener)) listener.call(process, process.exitCode ?? 0);
    // With the process its connections would end.
    http.globalAgent.destroy();
    https.globalAgent.destroy();
    removeAllBut(listeners);
    writeMarks();
    process.channel?.ref();
    process.send({ status: Number(process.exitCode ?? 0) });
  };
  load(join(PARTS, FIRST_PART), new Map());
  // Behind those of the command: what it would still do in its end, it does.
  process.on('beforeExit', onEmpty);
  process.channel.unref();
});
process.on('disconnect', () => exit(0));
process.send('ready');

function load(file, modules) {
  const known = modules.get(file);
  if (known) return known.exports;
  const module = { exports: {} };
  modules.set(file, module);
  const require = (id) => {
    const path = id.startsWith('./') || id.startsWith('../') ? resolve(dirname(file), id) : id;
    return dirname(path) === PARTS && path.endsWith('.js') ? load(path, modules) : own(path);
  };
  scriptOf(file)
    .runInThisContext()
    .call(module.exports, module.exports, Object.assign(require, own), module, file, PARTS);
  return module.exports;
}

function scriptOf(file) {
  let script = scripts.get(file);
  if (!script) {
    const source = readFileSync(file, 'utf8');
    script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
      filename: file,
    });
    scripts.set(file, script);
  }
  return script;
}

function writeMarks() {
  for (const output of [1, 2]) writeAll(output, Buffer.from(mark));
}

function writeAll(output, bytes) {
  let rest = bytes;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(output, rest));
    } catch (error) {
      // Whoever reads isn't so fast.
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function listenersOf(emitters) {
  return emitters.map((emitter) => ({
    emitter,
    kept: new Map(emitter.eventNames().map((name) => [name, emitter.rawListeners(name)])),
  }));
}

/** What a command listens to would otherwise be heard in the next one's time. */
function removeAllBut(known) {
  for (const { emitter, kept } of known)
    for (const name of emitter.eventNames())
      for (const listener of emitter.rawListeners(name))
        if (!kept.get(name)?.includes(listener)) emitter.off(name, listener);
}
