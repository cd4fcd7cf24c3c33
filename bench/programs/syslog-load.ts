/**
 * Both ends of a relay in one process: writes numbered lines to a port, as fast as they are accepted, and counts
 * what comes back. It costs a fraction of what a relay does: lines of one length are prepared in a few large
 * buffers, in which only the numbers are rewritten, and what comes back is counted in bytes; of every chunk the number of one
 * line is checked.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, connect as openTls } from 'node:tls';
import { DIGITS, syslogLine, writeNumber } from '../rig/lines.ts';

/** The job: write so many lines to that port. */
export interface SyslogLoadJob {
  readonly port: number;
  readonly token: string;
  readonly lines: number;
  /**
   * What to write instead of octet-counted lines of RFC 5424: whole frames (a character a byte) of one length, each with the zeros of a
   * number at the same place; they alternate.
   */
  readonly frames?: readonly string[];
  /** Over UDP a frame is a datagram: those that are lost aren't waited for. */
  readonly transport?: 'tcp' | 'tls' | 'udp';
}

/** The result. */
export interface SyslogLoadResult {
  /** From the first byte written to the last line back. */
  readonly seconds: number;
  readonly lineBytesIn: number;
  readonly lineBytesOut: number;
  /** Lines that came back. */
  readonly kept: number;
}

const LINES_A_BUFFER = 8_192;
const BUFFERS = 4;
/** When nothing comes back for this long, lines are lost. */
const STALL_TIMEOUT_MS = 15_000;
/** The same over UDP, where that is no failure. */
const LOSS_TIMEOUT_MS = 1_500;
/** Datagrams between two waits for the system. */
const DATAGRAMS = 50;

let received = 0;
let frameBytes = 0;
let numberAt = 0;
let expected = 0;
let wanted = Number.POSITIVE_INFINITY;
let finished = () => {};
let failed = false;

const takeConnection = (socket: Socket): void => {
  socket.on('data', onBytes);
  socket.on('error', () => socket.destroy());
};
/** With a key and a certificate (two files) as arguments, what comes back comes over TLS. */
const [keyFile, certificateFile] = process.argv.slice(2);
const sink = keyFile
  ? createTlsServer({ key: readFileSync(keyFile), cert: readFileSync(certificateFile) }, takeConnection)
  : createServer(takeConnection);
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

async function run(job: SyslogLoadJob): Promise<SyslogLoadResult> {
  const { port, lines, transport = 'tcp' } = job;
  const frames = framesOf(job);
  const [frame] = frames;
  received = 0;
  frameBytes = 0;
  wanted = Number.POSITIVE_INFINITY;
  failed = transport === 'udp'; // there, numbers may be missing
  if (transport === 'udp') return sendDatagrams(port, frames, lines);
  const at = frame.indexOf('0'.repeat(DIGITS));
  const buffers = Array.from({ length: BUFFERS }, (_, turn) =>
    Buffer.concat(
      Array.from(
        { length: LINES_A_BUFFER },
        (_line, k) => frames[(turn * LINES_A_BUFFER + k) % frames.length],
      ),
    ),
  );
  const socket = transport === 'tls' ? await connectTls(port) : await connectTcp(port);
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
  return { seconds, lineBytesIn: frame.length, lineBytesOut: frameBytes, kept: lines };
}

function framesOf({ token, frames }: SyslogLoadJob): Buffer[] {
  if (frames) return frames.map((frame) => Buffer.from(frame, 'latin1'));
  const line = syslogLine(token);
  return [Buffer.concat([Buffer.from(`${line.length} `), line])];
}

/** As fast as the system takes them, and then waits until no more come back. */
async function sendDatagrams(
  port: number,
  frames: readonly Buffer[],
  lines: number,
): Promise<SyslogLoadResult> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const startedMs = performance.now();
  for (let sent = 0; sent < lines; sent++) {
    const datagram = frames[sent % frames.length];
    if (sent % DATAGRAMS !== 0) socket.send(datagram, port, '127.0.0.1');
    else await new Promise((resolve) => socket.send(datagram, port, '127.0.0.1', resolve));
  }
  let seconds = 0;
  for (let before = -1; before !== received; ) {
    before = received;
    seconds = (performance.now() - startedMs) / 1_000;
    await new Promise((resolve) => setTimeout(resolve, LOSS_TIMEOUT_MS));
  }
  socket.close();
  const kept = frameBytes === 0 ? 0 : received / frameBytes;
  return { seconds, lineBytesIn: frames[0].length, lineBytesOut: frameBytes, kept };
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

function connectTls(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = openTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => resolve(socket));
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
