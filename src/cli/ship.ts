import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { systemCode, TailraceError } from '../errors.ts';
import { followFile } from '../runner/followed-file.ts';
import { APP_PRIORITY } from '../runner/line-sink.ts';
import { Output } from '../runner/output.ts';
import { Shipper } from '../runner/shipper.ts';
import { Client, chooseApp, findServer } from './client.ts';

interface ShipOptions {
  readonly app?: string;
  readonly source: string;
  readonly dyno?: string;
  readonly token?: string;
  readonly follow?: boolean;
  readonly fromStart?: boolean;
  readonly tee?: boolean;
  readonly block?: boolean;
  readonly buffer: string;
}

/** Where lines go, and with what right. */
interface Destination {
  readonly url: string;
  readonly key: string;
  /** Of the source that speaks. */
  readonly token: string;
}

/** How long to go on trying to deliver what is left at the end. */
const CLOSE_MS = 30_000;
const BUFFER_MB_MAX = 1_024;
const TOKEN = /^t\.[\w-]{1,64}$/;

/** `tailrace ship -- COMMAND…`, `tailrace ship --follow FILE…`: the lines of a program or of files, shipped to a server. */
export function shipCommand(program: Command): void {
  program
    .command('ship')
    .description(
      'run a command and ship its output, or follow files: `ship -- COMMAND…`, `ship --follow FILE…`',
    )
    .argument('<what...>', 'the command with its arguments (after --), or with --follow the files')
    .option('-a, --app <name>', "the app (default: the git remote's, else this folder's)")
    .option(
      '-s, --source <name>',
      'the name that the lines will carry; its token is made if there is none',
      'app',
    )
    .option('-d, --dyno <name>', "who speaks, in brackets (default: the command's or the file's name)")
    .option('-t, --token <token>', 'a source token instead of an API key (or TAILRACE_TOKEN)')
    .option('-f, --follow', 'follow files through rotation, instead of running a command')
    .option('--from-start', 'with --follow: ship also what the files hold already')
    .option('--tee', 'print the lines too')
    .option(
      '--block',
      'when the server takes no lines and the buffer is full: let the command wait, instead of dropping lines (L12)',
    )
    .option('--buffer <MB>', 'memory for lines that wait', '8')
    .action(async (what: string[], options: ShipOptions) => {
      const destination = await findDestination(options);
      process.exitCode = options.follow
        ? await shipFiles(what, options, destination)
        : await shipOutput(what, options, destination);
    });
}

async function findDestination(options: ShipOptions): Promise<Destination> {
  const token = options.token ?? process.env.TAILRACE_TOKEN;
  if (token !== undefined) {
    if (!TOKEN.test(token))
      throw new TailraceError(
        'invalid_params',
        'The token must be one that `tailrace tokens:add` has printed: t.…',
      );
    const url = process.env.TAILRACE_URL?.replace(/\/+$/, '') ?? findServer().url;
    return { url, key: token, token };
  }
  const client = new Client();
  const path = `/apps/${encodeURIComponent(await chooseApp(client, options.app))}/tokens`;
  const tokens = await client.ask<{ token: string; source: string }[]>('GET', path);
  const found =
    tokens.find(({ source }) => source === options.source) ??
    (await client.ask<{ token: string }>('POST', path, { source: options.source }));
  return { ...client.address, token: found.token };
}

function makeShipper(
  { key, token, url }: Destination,
  { source, buffer, block, follow }: ShipOptions,
  outputs: readonly Output[],
): Shipper {
  const megabytes = Number(buffer);
  if (!(megabytes >= 1 && megabytes <= BUFFER_MB_MAX))
    throw new TailraceError(
      'invalid_params',
      `--buffer ${buffer} must be a number of MB from 1 to ${BUFFER_MB_MAX}.`,
    );
  return new Shipper({
    url,
    key,
    // Reports of losses (L12, L13) are lines of this source too: it is all that the token may write.
    tokens: { app: token, [source]: token },
    bufferBytesMax: megabytes * 1_048_576,
    onPressure: (full) => {
      // Files keep what isn't read yet; a command's output is dropped unless it may be held up.
      if (!block && !follow) return;
      for (const output of outputs) full ? output.pause() : output.resume();
    },
    onTrouble: notice,
  });
}

async function shipOutput(what: readonly string[], options: ShipOptions, to: Destination): Promise<number> {
  const [command, ...args] = what;
  const child = spawn(command, args, { stdio: ['inherit', 'pipe', 'pipe'] });
  const outputs: Output[] = [];
  const shipper = makeShipper(to, options, outputs);
  const dyno = dynoName(options.dyno ?? basename(command));
  outputs.push(
    ship(child.stdout, shipper, options, dyno, process.stdout),
    ship(child.stderr, shipper, options, dyno, process.stderr),
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  try {
    const [code, signal] = await once(child, 'exit');
    await Promise.all(outputs.map(({ ended }) => ended));
    return typeof code === 'number' ? code : 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
  } catch (error) {
    throw new TailraceError(
      'invalid_params',
      `${command} can't be started (${systemCode(error) || error}): name a program after --.`,
      { cause: error },
    );
  } finally {
    await finish(shipper);
  }
}

async function shipFiles(files: readonly string[], options: ShipOptions, to: Destination): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const outputs: Output[] = [];
  const shipper = makeShipper(to, options, outputs);
  const { fromStart = false } = options;
  for (const file of files) {
    const lines = followFile(file, { fromStart, signal: stop.signal, onNotice: notice });
    outputs.push(ship(lines, shipper, options, dynoName(options.dyno ?? basename(file)), process.stdout));
  }
  await Promise.all(outputs.map(({ ended }) => ended));
  await finish(shipper);
  return 0;
}

function ship(
  stream: Readable,
  shipper: Shipper,
  { source, tee }: ShipOptions,
  dyno: string,
  terminal: NodeJS.WritableStream,
): Output {
  return new Output(stream, (line) => {
    shipper.line(source, dyno, APP_PRIORITY, line);
    if (!tee) return;
    terminal.write(line);
    terminal.write('\n');
  });
}

async function finish(shipper: Shipper): Promise<void> {
  const { dropped, lost } = await shipper.close(CLOSE_MS);
  if (dropped + lost > 0) notice(`${dropped} lines were dropped (L12), ${lost} lost (L13).`);
}

function dynoName(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, 128) || 'ship';
}

function notice(message: string): void {
  process.stderr.write(` ›   ${message}\n`);
}
