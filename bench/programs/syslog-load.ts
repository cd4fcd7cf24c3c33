/**
 * Both ends of a relay in one process: writes numbered lines to a port, as fast as they are accepted, and counts
 * what comes back. It costs a fraction of what a relay does: lines of one length are prepared in a few large
 * buffers, in which only the numbers are rewritten, and what comes back is counted in bytes; of every chunk the number of one
 * line is checked.
 */
import { connect, createServer, type Socket } from 'node:net';
import { DIGITS, syslogLine, writeNumber } from '../rig/lines.ts';

/** The job: write so many lines to that port. */
export interface SyslogLoadJob {
  readonly port: number;
  readonly token: string;
  readonly lines: number;
}

/** The result. */
export interface SyslogLoadResult {
  /** From the first byte written to the last line back. */
  readonly seconds: number;
  readonly lineBytesIn: number;
  readonly lineBytesOut: number;
}

const LINES_A_BUFFER = 8_192;
const BUFFERS = 4;
/** When nothing comes back for this long, lines are lost. */
const STALL_TIMEOUT_MS = 15_000;

let received = 0;
let frameBytes = 0;
let numberAt = 0;
let expected = 0;
let wanted = Number.POSITIVE_INFINITY;
let finished = () => {};
let failed = false;

const sink = createServer((socket) => {
  socket.on('data', onBytes);
  socket.on('error', () => socket.destroy());
});
sink.listen(0, '127.0.0.1', () => {
  const address = sink.address();
  if (address && typeof address === 'object') process.send?.({ sinkPort: address.port });
});
process.on('message', (job: SyslogLoadJob) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.on('disconnect', () => process.exit());

async function run({ port, token, lines }: SyslogLoadJob): Promise<SyslogLoadResult> {
  const line = syslogLine(token);
  const frame = Buffer.concat([Buffer.from(`${line.length} `), line]);
  const at = frame.indexOf('0'.repeat(DIGITS));
  const buffers = Array.from({ length: BUFFERS }, () => Buffer.alloc(frame.length * LINES_A_BUFFER, frame));
  received = 0;
  frameBytes = 0;
  wanted = Number.POSITIVE_INFINITY;
  const socket = await connectTcp(port);
  const startedMs = performance.now();
  const back = waitForAllLines(lines);
  back.catch(() => {});
  const pending: Promise<void>[] = [];
  for (let sent = 0, turn = 0; sent < lines; turn++) {
    const count = Math.min(LINES_A_BUFFER, lines - sent);
    const buffer = buffers[turn % BUFFERS];
    for (let k = 0; k < count; k++) writeNumber(sent + k, buffer, k * frame.length + at);
    // A buffer is rewritten only when the system has all of it.
    pending.push(write(socket, buffer.subarray(0, count * frame.length)));
    if (pending.length >= BUFFERS) await pending.shift();
    sent += count;
  }
  await Promise.all([...pending, back]);
  const seconds = (performance.now() - startedMs) / 1_000;
  socket.destroy();
  return { seconds, lineBytesIn: frame.length, lineBytesOut: frameBytes };
}

function write(socket: Socket, bytes: Buffer): Promise<void> {
  const written = new Promise<void>((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
  written.catch(() => {}); // whoever waits for it is told, perhaps later
  return written;
}

function connectTcp(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
    socket.resume();
  });
}

/** Resolves when `lines` lines have come back. */
function waitForAllLines(lines: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let before = -1;
    const watch = setInterval(() => {
      if (received === before) {
        const count = frameBytes ? received / frameBytes : 0;
        clearInterval(watch);
        reject(
          new Error(`${count} of ${lines} lines came back, then nothing for ${STALL_TIMEOUT_MS / 1_000} s`),
        );
      }
      before = received;
    }, STALL_TIMEOUT_MS);
    expected = lines;
    finished = () => {
      clearInterval(watch);
      resolve();
    };
  });
}

function onBytes(chunk: Buffer): void {
  if (frameBytes === 0) detectFrameLength(chunk);
  checkSequence(chunk);
  received += chunk.length;
  if (received >= wanted) finished();
}

/** All frames have the length of the first. */
function detectFrameLength(chunk: Buffer): void {
  const space = chunk.indexOf(0x20);
  frameBytes = space + 1 + Number(chunk.toString('latin1', 0, space));
  numberAt = chunk.indexOf('0'.repeat(DIGITS));
  wanted = expected * frameBytes;
}

/** Checks the first number that is complete in the chunk. */
function checkSequence(chunk: Buffer): void {
  const into = received % frameBytes;
  const index = Math.floor(received / frameBytes) + (into > numberAt ? 1 : 0);
  const at = into > numberAt ? numberAt + frameBytes - into : numberAt - into;
  if (at + DIGITS > chunk.length) return;
  const number = Number(chunk.toString('latin1', at, at + DIGITS));
  if (number === index || failed) return;
  failed = true;
  process.send?.({ failure: `line ${index} came back as ${number}: lines are lost, doubled or changed` });
}
