/** This terminal at a dyno: the connection to it, and the command that runs there. */
import { Transform } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { TailraceError } from '../../common/errors.ts';
import type { ApiClient } from '../api-client.ts';

/** A dyno of the API, with the address to attach to. */
export interface DynoView {
  readonly name: string;
  readonly attach_url: string | null;
  readonly exit_status: number | null;
}

/** The dynos of an app, for requests. */
export interface DynosEndpoint {
  readonly app: string;
  readonly client: ApiClient;
  /** `/apps/shop/dynos` */
  readonly path: string;
}

/** What runs, besides the command. */
export interface TerminalCommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly size?: string;
  readonly type?: string;
  /** False: no terminal, only pipes. */
  readonly tty: boolean;
  /** Where its output goes instead of this terminal; nothing is sent to it then. */
  readonly output?: (chunk: Buffer) => void;
}

/**
 * Runs a command in a dyno with this terminal.
 * @param where the path that makes it: in a dyno of its own, or in one that is there
 * @returns its exit status
 */
export async function runInTerminal(
  { app, client, path }: DynosEndpoint,
  where: string,
  words: readonly string[],
  { env, size, type, tty, output }: TerminalCommandOptions,
): Promise<number> {
  const { stdin, stdout } = process;
  const terminal = tty && Boolean(stdin.isTTY && stdout.isTTY);
  const window = { COLUMNS: String(stdout.columns ?? 80), LINES: String(stdout.rows ?? 24) };
  const dyno = await client.request<DynoView>('POST', where, {
    attach: true,
    force_no_tty: !terminal,
    command: shellCommandLine(words),
    env: { ...(terminal ? { TERM: process.env.TERM ?? 'xterm', ...window } : {}), ...env },
    size,
    type,
  });
  if (terminal) process.stderr.write(`Running ${words.join(' ')} on ${app}... up, ${dyno.name}\n`);
  const { socket, secret } = await connectToDyno(client, dyno.attach_url);
  const resize = (): void => {
    const size = { columns: stdout.columns, lines: stdout.rows };
    client.request('PATCH', `${path}/${dyno.name}`, size).catch(() => {});
  };
  if (terminal) {
    stdin.setRawMode(true);
    stdout.on('resize', resize);
  }
  try {
    const attached = output
      ? attachTerminal(socket, secret, () => socket.write(Buffer.alloc(4)), output)
      : attachTerminal(socket, secret, () => stdin.pipe(frameInput()).pipe(socket, { end: false }));
    await attached;
  } finally {
    if (terminal) stdin.setRawMode(false);
    stdout.off('resize', resize);
    if (!output) stdin.destroy();
  }
  const { exit_status: status } = await client.request<DynoView>('GET', `${path}/${dyno.name}`);
  return status ?? 1;
}

/** A connection to the server's terminals, and what has to be sent first. */
export async function connectToDyno(
  client: ApiClient,
  attachUrl: string | null,
): Promise<{ socket: TLSSocket; secret: string }> {
  if (!attachUrl) throw new TailraceError('unavailable', 'The server gave no address to attach to.');
  const { certificate } = await client.request<{ certificate: string }>('GET', '/certificate-authority');
  const url = new URL(attachUrl);
  // The server is the one we talk to already, by whatever name: what counts is that its certificate is of its authority.
  const socket = connect({
    host: new URL(client.address.url).hostname,
    port: Number(url.port),
    ca: certificate,
    servername: 'localhost',
  });
  return { socket, secret: url.pathname.slice(1) };
}

/**
 * Shows what the dyno writes. Resolves when it has ended, or this side has ended the connection.
 * @param onAttached called when there is somebody to write to
 */
export function attachTerminal(
  socket: TLSSocket,
  secret: string,
  onAttached: () => void,
  output?: (chunk: Buffer) => void,
): Promise<void> {
  const show = (chunk: Buffer): void => {
    if (output) output(chunk);
    else if (!process.stdout.write(chunk)) {
      socket.pause();
      process.stdout.once('drain', () => socket.resume());
    }
  };
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
        show(chunk);
        return;
      }
      greeting += chunk.toString('latin1');
      const end = greeting.indexOf('\n');
      if (end === -1) return;
      isAttached = true;
      const rest = Buffer.from(greeting.slice(end + 1), 'latin1');
      if (rest.length > 0) show(rest);
      onAttached();
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
export function frameInput(): Transform {
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
export function shellCommandLine(words: readonly string[]): string {
  if (words.length === 1) return words[0];
  return words
    .map((word) => (/^[\w@%+=:,./~*-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
