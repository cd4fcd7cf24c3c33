/**
 * Many WebSocket clients in one process, and the source of their lines. The clients read frame headers and count, no more, so
 * that the server is what is measured; the first one also checks every line.
 */
import { connect, type Socket } from 'node:net';
import { DIGITS, syslogLine, writeNumber } from '../rig/lines.ts';

/** Sent by the parent. */
export interface ManyTailsJob {
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly path: string;
  readonly key: string;
  /** In APP-NAME. */
  readonly token: string;
  readonly tails: number;
  readonly lines: number;
}

export interface ManyTailsResult {
  readonly seconds: number;
  /** WebSocket messages and bytes that all clients got. */
  readonly frames: number;
  readonly bytes: number;
}

/** When nothing comes for this long, lines are lost. */
const STALL_TIMEOUT_MS = 20_000;
const SLICE_LINES = 400;
/** Bytes that may wait to be written. */
const BUFFERED_BYTES_MAX = 1_048_576;
/** The number of a line follows this word. */
const MARK = Buffer.from('line ');

process.on('message', (job: ManyTailsJob) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });

async function run(job: ManyTailsJob): Promise<ManyTailsResult> {
  const totals = { frames: 0, bytes: 0 };
  let left = job.tails;
  let lastMs = performance.now();
  let finish: (seconds: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  let startedMs = 0;
  const sockets: Socket[] = [];
  for (let i = 0; i < job.tails; i++) {
    const client = i === 0 ? new CheckingClient(job.lines) : new Client(job.lines);
    const onFrames = (bytes: number, frames: number): void => {
      totals.bytes += bytes;
      totals.frames += frames;
      lastMs = performance.now();
      if (client.isDone && --left === 0) finish((lastMs - startedMs) / 1_000);
    };
    sockets.push(await open(job, client, onFrames));
  }
  startedMs = performance.now();
  const source = await sendLines(job);
  const watch = new Promise<never>((_, reject) => {
    const timer = setInterval(() => {
      if (left === 0) clearInterval(timer);
      else if (performance.now() - lastMs > STALL_TIMEOUT_MS)
        reject(new Error(`${left} tails didn't get all lines`));
    }, 1_000);
  });
  const seconds = await Promise.race([finished, watch]);
  source.destroy();
  for (const socket of sockets) socket.destroy();
  return { seconds, ...totals };
}

/** Counts lines in the payloads of frames by looking for each line's number; knows when it has seen the last one. */
class Client {
  protected readonly lines: number;
  isDone = false;
  /** Bytes of the current frame's payload that haven't come. */
  private payloadLeft = 0;
  private head: Buffer = Buffer.alloc(0);
  private tail: Buffer = Buffer.alloc(0);
  private readonly lastNumber: Buffer;

  constructor(lines: number) {
    this.lines = lines;
    this.lastNumber = Buffer.from(`line ${String(lines - 1).padStart(DIGITS, '0')}`);
  }

  /** Takes bytes behind the handshake; returns how many frames began in them. */
  take(chunk: Buffer): number {
    let frames = 0;
    let at = 0;
    let bytes = chunk;
    if (this.head.length > 0) {
      bytes = Buffer.concat([this.head, chunk]);
      this.head = Buffer.alloc(0);
    }
    while (at < bytes.length) {
      if (this.payloadLeft === 0) {
        const header = readHeader(bytes, at);
        if (!header) {
          this.head = bytes.subarray(at);
          break;
        }
        at = header.end;
        this.payloadLeft = header.length;
        frames++;
      }
      const end = Math.min(bytes.length, at + this.payloadLeft);
      this.payload(bytes.subarray(at, end));
      this.payloadLeft -= end - at;
      at = end;
    }
    return frames;
  }

  /** The last line is in the last bytes: only those are searched. */
  protected payload(piece: Buffer): void {
    const end =
      piece.length >= 400
        ? piece.subarray(piece.length - 400)
        : Buffer.concat([this.tail, piece]).subarray(-400);
    if (end.includes(this.lastNumber)) this.isDone = true;
    this.tail = Buffer.from(end.subarray(-200));
  }
}

/** Checks that the lines come in order, each once. */
class CheckingClient extends Client {
  private next = 0;
  private rest: Buffer = Buffer.alloc(0);

  protected override payload(piece: Buffer): void {
    const bytes = Buffer.concat([this.rest, piece]);
    let at = 0;
    for (;;) {
      const found = bytes.indexOf(MARK, at);
      if (found === -1 || found + MARK.length + DIGITS > bytes.length) {
        this.rest = Buffer.from(bytes.subarray(found === -1 ? Math.max(at, bytes.length - 4) : found));
        break;
      }
      at = found + MARK.length + DIGITS;
      const number = Number(bytes.toString('latin1', found + MARK.length, at));
      if (number !== this.next) throw new Error(`line ${number} came where ${this.next} belongs`);
      this.next++;
    }
    if (this.next === this.lines) this.isDone = true;
  }
}

function readHeader(bytes: Buffer, at: number): { end: number; length: number } | undefined {
  if (at + 2 > bytes.length) return undefined;
  const short = bytes[at + 1] & 0x7f;
  if (short < 126) return { end: at + 2, length: short };
  const size = short === 126 ? 2 : 8;
  if (at + 2 + size > bytes.length) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  return { end: at + 2 + size, length };
}

function open(
  job: ManyTailsJob,
  client: Client,
  onFrames: (bytes: number, frames: number) => void,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: job.httpPort, host: '127.0.0.1' });
    let head = '';
    let open = false;
    let done = false;
    socket.on('error', reject);
    socket.write(
      `GET ${job.path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16, 1).toString('base64')}\r\nAuthorization: Bearer ${job.key}\r\n\r\n`,
    );
    socket.on('data', (chunk: Buffer) => {
      let bytes = chunk;
      if (!open) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end === -1) return;
        if (!head.startsWith('HTTP/1.1 101')) return reject(new Error(head.slice(0, end)));
        open = true;
        bytes = Buffer.from(head.slice(end + 4), 'latin1');
        resolve(socket);
      }
      const frames = client.take(bytes);
      if (done) return;
      done = client.isDone;
      onFrames(bytes.length, frames);
    });
  });
}

/** Writes all lines as fast as they are accepted. */
async function sendLines({ tcpPort, token, lines }: ManyTailsJob): Promise<Socket> {
  const socket = connect({ port: tcpPort, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', reject);
  });
  socket.resume();
  const line = syslogLine(token);
  const frame = Buffer.concat([Buffer.from(`${line.length} `), line]);
  const at = frame.indexOf('0'.repeat(DIGITS));
  for (let sent = 0; sent < lines; ) {
    const count = Math.min(SLICE_LINES, lines - sent);
    const frames = Buffer.alloc(count * frame.length, frame);
    for (let k = 0; k < count; k++) writeNumber(sent + k, frames, k * frame.length + at);
    sent += count;
    const isTaken = new Promise<void>((resolve) => socket.write(frames, () => resolve()));
    // The server must not run dry while this process is busy reading.
    if (socket.writableLength > BUFFERED_BYTES_MAX) await isTaken;
  }
  return socket;
}
