import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../../../common/errors.ts';

/**
 * All pipes are read into this: dynos may write hundreds of megabytes a second, and left to the garbage collector, a buffer
 * for each read costs more than what is done with the lines.
 */
const SHARED_READ_BUFFER = Buffer.allocUnsafeSlow(65_536);

/** What a process writes to `writeFd` can be read from `reader`. */
export interface Pipe {
  /** The chunks of its `data` events are reused when its listeners have returned: what is kept must be copied. */
  reader: Socket;
  /** Given to the child; the parent closes its own copy after the spawn, or it would never see the end. */
  writeFd: number;
}

/** What is written to `writer` a process can read from `readFd`. */
export interface InputPipe {
  readonly writer: Socket;
  /** Given to the child, as `writeFd` is. */
  readonly readFd: number;
}

export interface Pipes {
  readonly outputs: readonly Pipe[];
  readonly input: InputPipe | undefined;
}

/** Named as the descriptors that a dyno has them as: standard output and error, and standard input. */
const OUTPUT_NAMES = ['1', '2'] as const;
const INPUT_NAME = '0';

/** Where the pipes of a dyno are, when they keep their names. */
export function pipeFiles(folder: string): { readonly outputs: readonly string[]; readonly input: string } {
  return { outputs: OUTPUT_NAMES.map((name) => join(folder, name)), input: join(folder, INPUT_NAME) };
}

/** Where what was read of a dyno's outputs and not emitted is saved. */
export function heldFiles(folder: string): readonly string[] {
  return OUTPUT_NAMES.map((name) => join(folder, `${name}.held`));
}

/**
 * Makes real pipes. Node gives children socket pairs instead, and those can't be opened by name: `echo x >/dev/stderr`
 * or nginx's `error_log /dev/stderr` would fail with "No such device or address". Node has no pipe(2), so each is a FIFO
 * that is opened at both ends and then removed from its folder.
 *
 * @param withInput one more for what the process reads, which has no end while its dyno lives
 * @throws if the temporary folder can't be written to, or file descriptors have run out
 */
export function createPipes(withInput = false): Pipes {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-'));
  try {
    return createNamedPipes(folder, withInput);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same in a folder that is there, where they keep their names: another process may open them. */
export function createNamedPipes(folder: string, withInput: boolean): Pipes {
  const outputs: Pipe[] = [];
  try {
    const files = pipeFiles(folder);
    execFileSync('mkfifo', ['-m', '600', ...files.outputs, ...(withInput ? [files.input] : [])]);
    for (const file of files.outputs) outputs.push(openBothEnds(file));
    return { outputs, input: withInput ? openInput(files.input) : undefined };
  } catch (error) {
    for (const pipe of outputs) {
      pipe.reader.destroy();
      closeSync(pipe.writeFd);
    }
    throw error;
  }
}

/** Our ends of pipes that another process has made: of what a dyno writes, and of what it reads if it reads anything. */
export function openNamedPipes(folder: string): {
  readonly readers: readonly Socket[];
  readonly writer: Socket | undefined;
} {
  const { outputs, input } = pipeFiles(folder);
  const readers: Socket[] = [];
  try {
    for (const file of outputs)
      readers.push(readerOf(openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)));
    return { readers, writer: existsSync(input) ? openWriter(input) : undefined };
  } catch (error) {
    for (const reader of readers) reader.destroy();
    throw error;
  }
}

function openInput(file: string): InputPipe {
  // A writer needs a reader that is there; the child's end is opened anew, since it has to wait when it reads.
  const first = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const writer = openWriter(file);
    if (writer === undefined) throw new Error(`${file} has no reader`);
    try {
      return { writer, readFd: openSync(file, constants.O_RDONLY) };
    } catch (error) {
      writer.destroy();
      throw error;
    }
  } finally {
    closeSync(first);
  }
}

/** @returns undefined when nobody reads it any more */
function openWriter(file: string): Socket | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENXIO') return undefined;
    throw error;
  }
  const writer = new Socket({ fd, readable: false, writable: true });
  writer.on('error', () => {}); // the process has ended, or doesn't read
  return writer;
}

function openBothEnds(file: string): Pipe {
  // The reading end first and without blocking: otherwise each open would wait for the other.
  const reader = readerOf(openSync(file, constants.O_RDONLY | constants.O_NONBLOCK));
  try {
    return { reader, writeFd: openSync(file, constants.O_WRONLY) };
  } catch (error) {
    reader.destroy();
    throw error;
  }
}

function readerOf(fd: number): Socket {
  const callback = (count: number): boolean => reader.emit('data', SHARED_READ_BUFFER.subarray(0, count));
  const options = {
    fd,
    readable: true,
    writable: false,
    onread: { buffer: SHARED_READ_BUFFER, callback },
  };
  const reader: Socket = new Socket(options);
  return reader;
}
