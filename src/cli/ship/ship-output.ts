import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import type { Shipper } from '../../apps/forwarder/shipper.ts';
import { LineReader } from '../../apps/processes/output/line-reader.ts';
import { APP_PRIORITY } from '../../apps/processes/output/line-sink.ts';
import { systemCode, TailraceError } from '../../common/errors.ts';
import {
  createShipper,
  createSpooledQueue,
  flushShippers,
  openSpool,
  type ShipDestination,
  type ShipOptions,
  toDynoName,
} from './ship-options.ts';

/** Forwarded to the command; on a terminal without those that it sends to the whole process group. */
const FORWARDED_SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT'] as const;
const TERMINAL_SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/** Ships what a command writes (`-`: what comes on stdin). Resolves with the command's exit code. */
export async function shipOutput(
  what: readonly string[],
  options: ShipOptions,
  to: ShipDestination,
): Promise<number> {
  const outputs: LineReader[] = [];
  const spool = options.spool === undefined ? undefined : openSpool(options.spool);
  const queue = spool && createSpooledQueue(spool, options);
  const shipper = createShipper(to, options, queue, (full) => {
    // Without --block, output that doesn't fit is dropped (L12).
    if (options.block) for (const output of outputs) full ? output.pause() : output.resume();
  });
  try {
    if (what.length === 1 && what[0] === '-') return await shipStdin(options, shipper, outputs);
    return await shipCommandLine(what, options, shipper, outputs);
  } finally {
    await flushShippers([shipper], options.spool);
  }
}

async function shipStdin(options: ShipOptions, shipper: Shipper, outputs: LineReader[]): Promise<number> {
  const output = shipStream(
    process.stdin,
    shipper,
    options,
    toDynoName(options.dyno ?? 'stdin'),
    process.stdout,
  );
  outputs.push(output);
  // The writer ends by the same Ctrl-C; its last output is read.
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => output.close());
  process.on('SIGINT', () => {});
  await output.ended;
  return 0;
}

async function shipCommandLine(
  [command, ...args]: readonly string[],
  options: ShipOptions,
  shipper: Shipper,
  outputs: LineReader[],
): Promise<number> {
  const child = spawn(command, args, { stdio: ['inherit', 'pipe', 'pipe'] });
  const dyno = toDynoName(options.dyno ?? basename(command));
  outputs.push(
    shipStream(child.stdout, shipper, options, dyno, process.stdout),
    shipStream(child.stderr, shipper, options, dyno, process.stderr),
  );
  let hasEnded = false;
  for (const signal of FORWARDED_SIGNALS)
    process.on(signal, () => {
      // A child process that the command left behind holds its output open.
      if (hasEnded) for (const output of outputs) output.close();
      else if (!(process.stdin.isTTY && TERMINAL_SIGNALS.includes(signal))) child.kill(signal);
    });
  try {
    const [code, signal] = await once(child, 'exit');
    hasEnded = true;
    await Promise.all(outputs.map(({ ended }) => ended));
    return typeof code === 'number' ? code : 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
  } catch (error) {
    throw new TailraceError(
      'invalid_params',
      `${command} can't be started (${systemCode(error) || error}): name a program after --.`,
      { cause: error },
    );
  }
}

function shipStream(
  stream: Readable,
  shipper: Shipper,
  { source, tee }: ShipOptions,
  dyno: string,
  terminal: NodeJS.WritableStream,
): LineReader {
  const line = (bytes: Buffer): void => {
    shipper.writeLine(source, dyno, APP_PRIORITY, bytes);
    if (!tee) return;
    terminal.write(bytes);
    terminal.write('\n');
  };
  return new LineReader(stream, { onLine: line });
}
