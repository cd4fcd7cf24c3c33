/** What somebody without a key does to ports with TLS: handshakes that are begun again and again, and records of a byte. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { AGAIN_MS, type Attack, keepOpen, type RunningAttack, TURN_MS } from './attack-tools.ts';

const HANDSHAKES_AT_ONCE = 300;
const RENEGOTIATIONS_AT_ONCE = 50;
const RECORD_CONNECTIONS = 10;
const RECORDS_A_WRITE = 2_800;
const RECORDS_PREPARED = 40;

/** The first bytes that a client of this Node.js sends. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  socket.on('error', () => undefined);
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

/** Each connection begins a handshake, and is closed with the server's answer, for which it has signed. */
async function halfHandshakes(port: number): Promise<RunningAttack> {
  const hello = await clientHello();
  let answers = 0;
  return keepOpen(
    HANDSHAKES_AT_ONCE,
    () => {
      const socket = connect(port, '127.0.0.1', () => socket.write(hello));
      return socket.once('data', () => {
        answers++;
        socket.resetAndDestroy();
      });
    },
    setImmediate,
    () => answers,
  );
}

/** A connection whose records are kept before they are sent. */
class RecordingConnection extends Duplex {
  private readonly socket: Socket;
  private records: Buffer[] | undefined;

  constructor(socket: Socket) {
    super();
    this.socket = socket;
    socket.on('data', (data: Buffer) => this.push(data));
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
  }

  /** From now on what is written is kept. */
  keep(): void {
    this.records = [];
  }

  takeRecords(): Buffer {
    const bytes = Buffer.concat(this.records ?? []);
    this.records = [];
    return bytes;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    if (this.records) this.records.push(Buffer.from(chunk));
    else this.socket.write(chunk);
    callback();
  }
}

/** Connections with `first` behind their handshakes, and then records of one byte each, thousands in a write. */
async function tinyRecords(port: number, first: string): Promise<RunningAttack> {
  const sockets = new Set<Socket>();
  let count = 0;
  let isOver = false;
  const open = async (): Promise<void> => {
    if (isOver) return;
    const socket = connect(port, '127.0.0.1');
    sockets.add(socket);
    const below = new RecordingConnection(socket);
    const client = connectTls({ socket: below, rejectUnauthorized: false });
    client.on('error', () => undefined).resume();
    let timer: NodeJS.Timeout | undefined;
    socket.on('close', () => {
      clearInterval(timer);
      sockets.delete(socket);
      setTimeout(open, AGAIN_MS).unref();
    });
    try {
      await once(client, 'secureConnect');
      if (first !== '') await new Promise((resolve) => client.write(first, resolve));
      below.keep();
      const writes: Buffer[] = [];
      for (let i = 0; i < RECORDS_PREPARED; i++) {
        for (let record = 0; record < RECORDS_A_WRITE; record++)
          await new Promise((resolve) => client.write('x', resolve));
        writes.push(below.takeRecords());
      }
      timer = setInterval(() => {
        if (socket.writableNeedDrain) return;
        const next = writes.shift();
        if (!next) {
          socket.destroy();
          return;
        }
        socket.write(next);
        count += RECORDS_A_WRITE;
      }, TURN_MS * RECORD_CONNECTIONS);
    } catch {
      socket.destroy();
    }
  };
  for (let i = 0; i < RECORD_CONNECTIONS; i++) void open();
  return {
    count: () => count,
    stop: async () => {
      isOver = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Each connection begins its handshake anew as soon as it is over; one that is closed is opened again. */
async function handshakesAnew(port: number): Promise<RunningAttack> {
  let count = 0;
  return keepOpen(
    RENEGOTIATIONS_AT_ONCE,
    () => {
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        maxVersion: 'TLSv1.2',
      });
      const again = (error: Error | null): void => {
        count++;
        if (!error && !socket.destroyed) socket.renegotiate({}, again);
      };
      return socket.once('secureConnect', () => again(null));
    },
    (next) => setTimeout(next, AGAIN_MS).unref(),
    () => count,
  );
}

/** For servers that have a certificate. */
export const TLS_ATTACKS: readonly Attack[] = [
  {
    name: 'TLS handshakes with syslog, half of each',
    unit: 'handshakes',
    start: async ({ syslogTlsPort }) => halfHandshakes(syslogTlsPort!),
  },
  {
    name: 'TLS handshakes with HTTPS, half of each',
    unit: 'handshakes',
    start: async ({ httpsPort }) => halfHandshakes(httpsPort!),
  },
  {
    name: 'TLS handshakes with HTTPS, begun anew on each connection',
    unit: 'handshakes',
    start: async ({ httpsPort }) => handshakesAnew(httpsPort!),
  },
  {
    name: 'TLS records of a byte over syslog',
    unit: 'records',
    start: async ({ syslogTlsPort }) => tinyRecords(syslogTlsPort!, '900000 '),
  },
  {
    name: 'TLS records of a byte over HTTPS',
    unit: 'records',
    start: async ({ httpsPort }) =>
      tinyRecords(httpsPort!, 'POST /logs HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n'),
  },
];
