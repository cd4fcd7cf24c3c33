/**
 * The official `heroku` command in a process that stays: its thousands of modules are loaded once, not for each command. It is what
 * bin/run.js of the command is, but that an exit ends the command alone. Behind each command a mark is written to both outputs: what is before
 * it is the command's, and that of the programs that it has given them to.
 */
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [, , COMMAND] = process.argv;
let exit = (_status) => undefined;
process.env.HEROKU_UPDATE_INSTRUCTIONS ||= 'update with: "npm update -g heroku"';
writesAtOnce(process.stdout, 1);
writesAtOnce(process.stderr, 2);
// Behind that: it keeps what it finds.
const { execute } = await import(
  pathToFileURL(COMMAND.replace(/heroku[/\\]bin[/\\]run\.js$/, '@oclif/core/lib/index.js')).href
);
process.exit = (code) => {
  exit(code ?? process.exitCode ?? 0);
  throw new Error('the command has ended');
};
process.on('message', async ({ args, mark }) => {
  process.exitCode = undefined;
  process.argv = [process.argv[0], COMMAND, ...args];
  let hasEnded = false;
  const status = await new Promise((resolve) => {
    exit = (code) => {
      // What is written behind it would never have been written.
      if (!hasEnded) for (const output of [1, 2]) writeAll(output, Buffer.from(mark));
      hasEnded = true;
      resolve(code);
    };
    execute({ args, dir: pathToFileURL(COMMAND).href }).then(
      () => exit(process.exitCode ?? 0),
      () => exit(1),
    );
  });
  process.send({ status });
});
process.on('disconnect', () => process.kill(process.pid));
process.send('ready');

/** In its order with what other programs write to the same output. */
function writesAtOnce(stream, output) {
  stream.write = (chunk, encoding, callback) => {
    writeAll(output, Buffer.from(chunk));
    const done = typeof encoding === 'function' ? encoding : callback;
    if (done) process.nextTick(done);
    return true;
  };
}

function writeAll(output, bytes) {
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(output, bytes));
    } catch (error) {
      // Whoever reads isn't so fast.
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}
