/** Source: syslog over UDP (RFC 5426), one line a datagram. Senders get no response, so losses are counted. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { LruCache } from '../../../common/lru-cache.ts';
import { normalizeAddress } from '../../router/source-rules.ts';
import { FrameOutcome, LineReceiver } from '../line-receiver.ts';
import { listenError } from '../listen.ts';
import { createListenerCounters, type ListenerCounters } from '../listener-counters.ts';
import { RejectionWarnings } from '../rejection-warnings.ts';
import { SourceResolver } from '../source-resolver.ts';
import type { SyslogListener, SyslogListenerOptions } from '../syslog-listener.ts';
import { DatagramBatch } from './datagram-batch.ts';

/** The socket's receive buffer, for bursts: as much of 16 MiB as the system allows (net.core.rmem_max). */
const RECEIVE_BYTES = 16 * 1_048_576;
/** Datagrams that may wait for the look-up of their tokens. */
const PENDING_LOOKUPS_MAX = 1_000;
/** Few datagrams come in one turn of the event loop: under load they are stored with those of later ones, so many milliseconds at the most. */
const LINGER_MS = 5;
/** Senders whose receivers are kept. */
const SENDERS_MAX = 1_000;

/**
 * Listens for syslog over UDP.
 * @throws TailraceError `address_in_use` when the port is taken.
 */
export async function listenUdp(options: SyslogListenerOptions): Promise<SyslogListener> {
  const { host, port } = options;
  const counters = options.counters ?? createListenerCounters('udp');
  const rejectionWarnings = new RejectionWarnings(counters, options.log);
  const socket: Socket = createSocket({
    type: host.includes(':') ? 'udp6' : 'udp4',
    recvBufferSize: RECEIVE_BYTES,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(listenError(error, host, port, 'syslog (UDP)', 'TAILRACE_SYSLOG_PORT'));
    });
    socket.bind({ address: host, port }, () => resolve());
  });
  socket.removeAllListeners('error');
  socket.on('error', (error) => options.log.warn({ err: error }, 'syslog (UDP) failed to receive'));
  const datagramReceiver = new DatagramReceiver(options, socket.address().port, counters, () =>
    rejectionWarnings.check(),
  );
  socket.on('message', (datagram: Buffer, sender: RemoteInfo) => {
    datagramReceiver.take(datagram, sender.address);
  });
  return {
    port: socket.address().port,
    counters,
    close: async () => {
      datagramReceiver.flush();
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

class DatagramReceiver {
  private readonly options: SyslogListenerOptions;
  private readonly port: number;
  private readonly counters: ListenerCounters;
  private readonly receivers = new LruCache<string, LineReceiver>(SENDERS_MAX);
  private readonly batch: DatagramBatch<LineReceiver>;
  /** The last sender: many datagrams of one come one after the other. */
  private lastAddress = '';
  private lastReceiver: LineReceiver | undefined;
  private pendingLookups = 0;

  /**
   * @param port the local port, for rules.
   * @param taken is called when lines were taken.
   */
  constructor(options: SyslogListenerOptions, port: number, counters: ListenerCounters, taken: () => void) {
    this.options = options;
    this.port = port;
    this.counters = counters;
    this.batch = new DatagramBatch(
      (receiver, bytes, start, end) => this.takeLine(receiver, bytes, start, end),
      (receiver) => {
        receiver.flushInBackground(LINGER_MS);
        taken();
      },
    );
  }

  take(datagram: Buffer, address: string): void {
    if (this.options.router.congested) {
      this.counters.lost++;
      return;
    }
    if (!this.lastReceiver || address !== this.lastAddress) {
      this.lastReceiver = this.receiverFor(address);
      this.lastAddress = address;
    }
    let end = datagram.length;
    while (end > 0 && datagram[end - 1] === 0) end--; // some senders append C's terminating NUL
    this.batch.add(datagram, end, this.lastReceiver);
  }

  /** Takes what has come. */
  flush(): void {
    this.batch.flush();
  }

  private takeLine(receiver: LineReceiver, bytes: Buffer, start: number, end: number): void {
    if (receiver.take(bytes, start, end) !== FrameOutcome.needsTokenLookup) return;
    if (this.pendingLookups >= PENDING_LOOKUPS_MAX) {
      this.counters.lost++;
      return;
    }
    const line = Buffer.from(bytes.subarray(start, end));
    this.pendingLookups++;
    void receiver
      .loadToken()
      .then(() => {
        receiver.take(line, 0, line.length);
        receiver.flushInBackground();
      })
      .catch(() => {
        this.counters.lost++;
      })
      .finally(() => {
        this.pendingLookups--;
      });
  }

  private receiverFor(address: string): LineReceiver {
    let receiver = this.receivers.get(address);
    if (!receiver) {
      const { router, rules, rateLimiter } = this.options;
      const host = normalizeAddress(address);
      const sourceResolver = new SourceResolver(router, rules, { address: host, port: this.port });
      receiver = new LineReceiver({ router, counters: this.counters, host, sourceResolver, rateLimiter });
      this.receivers.set(address, receiver);
    }
    return receiver;
  }
}
