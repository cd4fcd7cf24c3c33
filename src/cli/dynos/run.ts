import { Transform } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { APP_OPTION, ApiClient, resolveApp, resolveEndpoint } from '../api-client.ts';
import { collectValues, parseVariables } from '../repeated-option.ts';

interface DynoView {
  readonly name: string;
  readonly attach_url: string | null;
  readonly exit_status: number | null;
}
interface RunOptions {
  readonly app?: string;
  readonly env?: readonly string[];
  readonly size?: string;
  readonly type?: string;
  readonly tty: boolean;
}

/** `tailrace run bash`, `run:detached rake db:migrate` */
export function runCommands(program: Command): void {
  const common = (name: string, text: string): Command =>
    program
      .command(`${name} <command...>`)
      .description(text)
      .option(...APP_OPTION)
      .option('-e, --env <vars>', 'variables for this dyno alone: "A=1;B=2"', collectValues)
      .option('-s, --size <size>', 'its size: standard-2x, performance-m …')
      .option('--type <type>', 'name it after a process type, which it has the size of')
      // What follows the command belongs to it: `run ls -l`.
      .passThroughOptions();
  const command = 'a command, or a process type and its arguments,';
  common('run', `run ${command} in a dyno of its own, with this terminal`)
    .option('--no-tty', 'no terminal, only pipes')
    .option('-x, --exit-code', "end with the command's status; it always does")
    .action(async (words: string[], options: RunOptions) => {
      process.exitCode = await runAttached(words, options);
    });
  common('run:detached', `run ${command} in the background; what it says is in the stream`).action(
    async (words: string[], options: RunOptions) => {
      const client = new ApiClient();
      const app = await resolveApp(client, options.app);
      const { size, type } = options;
      const env = parseVariables(options.env);
      const wanted = { attach: false, command: shellCommandLine(words), env, size, type };
      const dyno = await client.request<DynoView>('POST', `/apps/${encodeURIComponent(app)}/dynos`, wanted);
      process.stdout.write(
        `Running ${wanted.command} on ${app}... done, ${dyno.name}\nRun tailrace logs -a ${app} --dyno ${dyno.name} to view the output.\n`,
      );
    },
  );
  program
    .command('run:inside <dyno> [command...]')
    .description('says what to use: no command runs inside a dyno that is there')
    .option(...APP_OPTION)
    .allowUnknownOption()
    .action(async (dyno: string, words: string[], options: { app?: string }) => {
      const { client, path } = await resolveEndpoint(options, `/dynos/${encodeURIComponent(dyno)}`);
      await client.request('POST', path, { command: words.length > 0 ? shellCommandLine(words) : 'bash' });
    });
}

async function runAttached(words: readonly string[], options: RunOptions): Promise<number> {
  const variables = parseVariables(options.env);
  const { app, client, path } = await resolveEndpoint(options, '/dynos');
  const { stdin, stdout } = process;
  const terminal = options.tty && Boolean(stdin.isTTY && stdout.isTTY);
  const window = { COLUMNS: String(stdout.columns ?? 80), LINES: String(stdout.rows ?? 24) };
  const { certificate } = await client.request<{ certificate: string }>('GET', '/certificate-authority');
  const dyno = await client.request<DynoView>('POST', path, {
    attach: true,
    force_no_tty: !terminal,
    command: shellCommandLine(words),
    env: { ...(terminal ? { TERM: process.env.TERM ?? 'xterm', ...window } : {}), ...variables },
    size: options.size,
    type: options.type,
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
    client.request('PATCH', `${path}/${dyno.name}`, size).catch(() => {});
  };
  if (terminal) {
    stdin.setRawMode(true);
    stdout.on('resize', resize);
  }
  try {
    await attachTerminal(socket, url.pathname.slice(1));
  } finally {
    if (terminal) stdin.setRawMode(false);
    stdout.off('resize', resize);
    stdin.destroy();
  }
  const { exit_status: status } = await client.request<DynoView>('GET', `${path}/${dyno.name}`);
  return status ?? 1;
}

/** Resolves when the dyno has ended. */
function attachTerminal(socket: TLSSocket, secret: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let isAttached = false;
    let greeting = '';
    socket.on('error', (error) =>
      reject(
        new TailraceError('unavailable', `The connection to the dyno broke (${error.message}).`, {
          cause: error,
        }),
      ),
    );
    socket.on('secureConnect', () => socket.write(`${secret};framed\r\n`));
    const read = (chunk: Buffer): void => {
      if (isAttached) {
        if (!process.stdout.write(chunk)) {
          socket.pause();
          process.stdout.once('drain', () => socket.resume());
        }
        return;
      }
      greeting += chunk.toString('latin1');
      const end = greeting.indexOf('\n');
      if (end === -1) return;
      isAttached = true;
      const rest = Buffer.from(greeting.slice(end + 1), 'latin1');
      if (rest.length > 0) process.stdout.write(rest);
      process.stdin.pipe(frameInput()).pipe(socket, { end: false });
    };
    socket.on('data', read);
    socket.on('end', () => {
      socket.end();
      if (isAttached) resolve();
      else reject(new TailraceError('unavailable', 'The dyno is not there any more.'));
    });
  });
}

/** A length before each piece; an empty one is the end of the input, since that of the connection means that this client has gone. */
function frameInput(): Transform {
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
function shellCommandLine(words: readonly string[]): string {
  if (words.length === 1) return words[0];
  return words
    .map((word) => (/^[\w@%+=:,./~*-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
