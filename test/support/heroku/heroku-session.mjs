/**
 * The official `heroku` command in a process that stays: its thousands of modules are loaded once, not for each command. It is what
 * bin/run.js of the command is, but that output is collected, and that an exit ends the command alone.
 */
import { pathToFileURL } from 'node:url';

const [, , COMMAND] = process.argv;
let outputs = { stdout: '', stderr: '' };
let exit = (_status) => undefined;
process.env.HEROKU_UPDATE_INSTRUCTIONS ||= 'update with: "npm update -g heroku"';
collect('stdout');
collect('stderr');
// Behind that: it keeps what it finds.
const { execute } = await import(
  pathToFileURL(COMMAND.replace(/heroku[/\\]bin[/\\]run\.js$/, '@oclif/core/lib/index.js')).href
);
process.exit = (code) => {
  exit(code ?? process.exitCode ?? 0);
  throw new Error('the command has ended');
};
process.on('message', async ({ args }) => {
  outputs = { stdout: '', stderr: '' };
  process.exitCode = undefined;
  process.argv = [process.argv[0], COMMAND, ...args];
  const result = await new Promise((resolve) => {
    // What is written behind it would never have been written.
    exit = (status) => resolve({ status, ...outputs });
    execute({ args, dir: pathToFileURL(COMMAND).href }).then(
      () => exit(process.exitCode ?? 0),
      () => exit(1),
    );
  });
  process.send(result);
});
process.on('disconnect', () => process.kill(process.pid));
process.send('ready');

function collect(name) {
  process[name].write = (chunk, encoding, callback) => {
    outputs[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const done = typeof encoding === 'function' ? encoding : callback;
    if (done) process.nextTick(done);
    return true;
  };
}
