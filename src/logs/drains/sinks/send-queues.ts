/** What of the bytes that were written to connections the other end's system hasn't acknowledged, as far as Linux shows it (proc_pid_net(5)). */
import { open } from 'node:fs/promises';
import type { Socket } from 'node:net';

/** The kernel goes through all of its sockets for it: so many times as long as it took nothing is read. */
const REST_FACTOR = 50;
const REST_MIN_MS = 250;
const REST_MAX_MS = 1_000;
/** `0: 0100007F:1F90 0100007F:D431 01 00000000:…`: local and remote address, established, bytes to send. */
const ESTABLISHED = /^ *\d+: [\dA-F]+:([\dA-F]{4}) [\dA-F]+:([\dA-F]{4}) 01 ([\dA-F]{8}):/gm;

/** More than one read gives. */
const CHUNK_BYTES = 65_536;
/**
 * A read that gives no more was the last one: each gives as many lines as go into a page, of 4 KB at least, and no line is as long as what is
 * left of that. To be told so, by a read of nothing, has the kernel go through all of its sockets once more.
 */
const LAST_READ_BYTES_MAX = 3_584;

type Table = 'tcp' | 'tcp6';

/** Gives a table read by read; throws where it can't be read. */
type ReadTable = (table: Table) => AsyncIterable<string>;

interface Question {
  readonly table: Table;
  readonly ports: string;
  readonly onRead: () => void;
  readonly answer: (bytes: number | undefined) => void;
}

/** One for many connections: they share what is read, which takes some milliseconds. */
export class SendQueues {
  private readonly readTable: ReadTable;
  private questions: Question[] = [];
  private isReading = false;

  /** @param readTable gives the sockets of a protocol as `/proc/net` has them */
  constructor(readTable: ReadTable = readProcTable) {
    this.readTable = readTable;
  }

  /**
   * Bytes that the system has of a connection and the other end's hasn't acknowledged; 0 where no system tells, undefined when the
   * connection isn't open any more.
   * @param onRead called just before it is looked at, which may be a second later: what is written behind that isn't in the answer
   */
  queuedBytes(
    { localPort, remotePort, localFamily }: Socket,
    onRead: () => void,
  ): Promise<number | undefined> {
    if (localPort === undefined || remotePort === undefined) return Promise.resolve(undefined);
    const table = localFamily === 'IPv6' ? 'tcp6' : 'tcp';
    return new Promise((answer) => {
      this.questions.push({ table, ports: `${hexPort(localPort)} ${hexPort(remotePort)}`, onRead, answer });
      if (!this.isReading) void this.answerAll();
    });
  }

  private async answerAll(): Promise<void> {
    this.isReading = true;
    // Those who ask in the same turn are answered together.
    await undefined;
    while (this.questions.length > 0) {
      const questions = this.questions.splice(0);
      const beganMs = performance.now();
      for (const table of ['tcp', 'tcp6'] as const)
        await this.answer(
          table,
          questions.filter((one) => one.table === table),
        );
      const restMs = (performance.now() - beganMs) * REST_FACTOR;
      await new Promise((resolve) =>
        setTimeout(resolve, Math.min(Math.max(restMs, REST_MIN_MS), REST_MAX_MS)).unref(),
      );
    }
    this.isReading = false;
  }

  private async answer(table: Table, questions: readonly Question[]): Promise<void> {
    if (questions.length === 0) return;
    for (const { onRead } of questions) onRead();
    const wanted = new Set(questions.map(({ ports }) => ports));
    const queued = await readQueued(wanted, this.readTable(table)).catch(() => undefined);
    for (const { ports, answer } of questions) answer(queued ? queued.get(ports) : 0);
  }
}

/** Bytes to send by the ports, of those that are wanted and open. */
async function readQueued(
  wanted: ReadonlySet<string>,
  reads: AsyncIterable<string>,
): Promise<Map<string, number>> {
  const queued = new Map<string, number>();
  let begun = '';
  for await (const read of reads) {
    const text = begun + read;
    begun = text.slice(text.lastIndexOf('\n') + 1);
    for (const [, local, remote, bytes] of text.matchAll(ESTABLISHED)) {
      const ports = `${local} ${remote}`;
      // Of several with the same ports, at other addresses, the one that is furthest behind.
      if (wanted.has(ports)) queued.set(ports, Math.max(queued.get(ports) ?? 0, Number.parseInt(bytes, 16)));
    }
    // One that isn't among them is taken for closed only when all was read.
    if (read.length <= LAST_READ_BYTES_MAX && queued.size === wanted.size) break;
  }
  return queued;
}

async function* readProcTable(table: Table): AsyncGenerator<string> {
  const file = await open(`/proc/net/${table}`);
  try {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
      if (bytesRead === 0) return;
      yield chunk.toString('latin1', 0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
