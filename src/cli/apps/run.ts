import { Transform } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { Client, chooseApp } from '../client.ts';

interface DynoView {
  readonly name: string;
  readonly attach_url: string | null;
  readonly exit_status: number | null;
}
interface RunOptions {
  readonly app?: string;
  readonly env?: string;
  readonly tty: boolean;
}

/** `tailrace run bash`, `run:detached rake db:migrate` */
export function runCommands(program: Command): void {
  const common = (name: string, text: string): Command =>
    program
      .command(`${name} <command...>`)
      .description(text)
      .option('-a, --app <name>', "the app (default: the git remote's, else this folder's)")
      .option('-e, --env <vars>', 'variables for this dyno alone: A=1;B=2')
      // What follows the command belongs to it: `run ls -l`.
      .passThroughOptions();
  common('run', 'run a command in a dyno of its own, with this terminal')
    .option('--no-tty', 'no terminal, only pipes')
    .action(async (words: string[], options: RunOptions) => {
      process.exitCode = await run(words, options);
    });
  common('run:detached', 'the same in the background; what it says is in the stream').action(
    async (words: string[], options: RunOptions) => {
      const client = new Client();
      const app = await chooseApp(client, options.app);
      const wanted = { attach: false, command: commandLine(words), env: variables(options.env) };
      const dyno = await client.ask<DynoView>('POST', `/apps/${encodeURIComponent(app)}/dynos`, wanted);
      process.stdout.write(
        `Running ${wanted.command} on ${app}... done, ${dyno.name}\nRun tailrace logs -a ${app} --dyno ${dyno.name} to view the output.\n`,
      );
    },
  );
}

async function run(words: readonly string[], options: RunOptions): Promise<number> {
  const client = new Client();
  const app = await chooseApp(client, options.app);
  const path = `/apps/${encodeURIComponent(app)}/dynos`;
  const { stdin, stdout } = process;
  const terminal = options.tty && Boolean(stdin.isTTY && stdout.isTTY);
  const window = { COLUMNS: String(stdout.columns ?? 80), LINES: String(stdout.rows ?? 24) };
  const { certificate } = await client.ask<{ certificate: string }>('GET', '/certificate-authority');
  const dyno = await client.ask<DynoView>('POST', path, {
    attach: true,
    force_no_tty: !terminal,
    command: commandLine(words),
    env: { ...(terminal ? { TERM: process.env.TERM ?? 'xterm', ...window } : {}), ...variables(options.env) },
  });
  if (!dyno.attach_url) throw new TailraceError('unavailable', 'The server gave no address to attach to.');
  if (terminal) process.stderr.write(`Running ${words.join(' ')} on ${app}... up, ${dyno.name}\n`);
  const url = new URL(dyno.attach_url);
  // The server is the one we talk to already, by whatever name: what counts is that its certificate is of its authority.
  const socket = connect({
    host: new URL(client.address.url).hostname,
    port: Number(url.port),
    ca: certificate,
    servername: 'localhost',
  });
  const resize = (): void => {
    const size = { columns: stdout.columns, lines: stdout.rows };
    client.ask('PATCH', `${path}/${dyno.name}`, size).catch(() => {});
  };
  if (terminal) {
    stdin.setRawMode(true);
    stdout.on('resize', resize);
  }
  try {
    await talk(socket, url.pathname.slice(1));
  } finally {
    if (terminal) stdin.setRawMode(false);
    stdout.off('resize', resize);
    stdin.destroy();
  }
  const { exit_status: status } = await client.ask<DynoView>('GET', `${path}/${dyno.name}`);
  return status ?? 1;
}

/** Resolves when the dyno has ended. */
function talk(socket: TLSSocket, secret: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let greeted = false;
    let seen = '';
    socket.on('error', (error) =>
      reject(
        new TailraceError('unavailable', `The connection to the dyno broke (${error.message}).`, {
          cause: error,
        }),
      ),
    );
    socket.on('secureConnect', () => socket.write(`${secret};framed\r\n`));
    const read = (chunk: Buffer): void => {
      if (greeted) {
        if (!process.stdout.write(chunk)) {
          socket.pause();
          process.stdout.once('drain', () => socket.resume());
        }
        return;
      }
      seen += chunk.toString('latin1');
      const end = seen.indexOf('\n');
      if (end === -1) return;
      greeted = true;
      const rest = Buffer.from(seen.slice(end + 1), 'latin1');
      if (rest.length > 0) process.stdout.write(rest);
      process.stdin.pipe(framed()).pipe(socket, { end: false });
    };
    socket.on('data', read);
    socket.on('end', () => {
      socket.end();
      if (greeted) resolve();
      else reject(new TailraceError('unavailable', 'The dyno is not there any more.'));
    });
  });
}

/** A length before each piece; an empty one is the end of the input, since that of the connection means that we are gone. */
function framed(): Transform {
  const frame = (data: Buffer): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(data.length);
    return Buffer.concat([head, data]);
  };
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, frame(chunk)),
    flush: (done) => done(null, frame(Buffer.alloc(0))),
  });
}

/** One word is a command line of its own; of several each stays one word. */
function commandLine(words: readonly string[]): string {
  if (words.length === 1) return words[0];
  return words
    .map((word) => (/^[\w@%+=:,./~*-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}

function variables(text: string | undefined): Record<string, string> {
  return Object.fromEntries(
    (text ?? '')
      .split(';')
      .filter((part) => part.includes('='))
      .map((part) => [part.slice(0, part.indexOf('=')).trim(), part.slice(part.indexOf('=') + 1)]),
  );
}
