import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

interface Pipes {
  readonly outputs: readonly Pipe[];
  readonly input: InputPipe | undefined;
}

/**
 * Makes real pipes. Node gives children socket pairs instead, and those can't be opened by name: `echo x >/dev/stderr`
 * or nginx's `error_log /dev/stderr` would fail with "No such device or address". Node has no pipe(2), so each is a FIFO
 * that is opened at both ends and then removed from its folder.
 *
 * @param withInput one more for what the process reads, which has no end while its dyno lives
 * @throws if the temporary folder can't be written to, or file descriptors have run out
 */
export function createPipes(count: number, withInput = false): Pipes {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-'));
  const outputs: Pipe[] = [];
  try {
    const files = Array.from({ length: count }, (_, index) => join(folder, String(index)));
    const inputFile = join(folder, 'input');
    execFileSync('mkfifo', ['-m', '600', ...files, ...(withInput ? [inputFile] : [])]);
    for (const file of files) outputs.push(openBothEnds(file));
    return { outputs, input: withInput ? openInput(inputFile) : undefined };
  } catch (error) {
    for (const pipe of outputs) {
      pipe.reader.destroy();
      closeSync(pipe.writeFd);
    }
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function openInput(file: string): InputPipe {
  // A writer needs a reader that is there; the child's end is opened anew, since it has to wait when it reads.
  const first = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const fd = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
    const writer = new Socket({ fd, readable: false, writable: true });
    writer.on('error', () => {}); // the process has ended, or doesn't read
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

function openBothEnds(file: string): Pipe {
  // The reading end first and without blocking: otherwise each open would wait for the other.
  const readFd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const callback = (count: number): boolean => reader.emit('data', SHARED_READ_BUFFER.subarray(0, count));
  const options = {
    fd: readFd,
    readable: true,
    writable: false,
    onread: { buffer: SHARED_READ_BUFFER, callback },
  };
  const reader: Socket = new Socket(options);
  try {
    return { reader, writeFd: openSync(file, constants.O_WRONLY) };
  } catch (error) {
    reader.destroy();
    throw error;
  }
}
