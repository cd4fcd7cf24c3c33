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

/** The socket's receive buffer, for bursts: 4 MiB. */
const RECEIVE_BYTES = 4 * 1_048_576;
/** Datagrams that may wait for the look-up of their tokens. */
const PENDING_LOOKUPS_MAX = 1_000;
/** Senders whose receivers are kept. */
const SENDERS_MAX = 1_000;

/**
 * Listens for syslog over UDP.
 * @throws TailraceError `address_in_use` when the port is taken.
 */
export async function listenUdp(options: SyslogListenerOptions): Promise<SyslogListener> {
  const { host, port } = options;
  const counters = options.counters ?? createListenerCounters('udp');
  const rejectionWarnings = new RejectionWarnings(counters, options.warn);
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
  socket.on('error', (error) => options.warn({ err: error }, 'syslog (UDP) failed to receive'));
  const datagramReceiver = new DatagramReceiver(options, socket.address().port, counters);
  socket.on('message', (datagram: Buffer, sender: RemoteInfo) => {
    datagramReceiver.take(datagram, sender.address);
    rejectionWarnings.check();
  });
  return {
    port: socket.address().port,
    counters,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

class DatagramReceiver {
  private readonly options: SyslogListenerOptions;
  private readonly port: number;
  private readonly counters: ListenerCounters;
  private readonly receivers = new LruCache<string, LineReceiver>(SENDERS_MAX);
  private pendingLookups = 0;

  /** @param port the local port, for rules. */
  constructor(options: SyslogListenerOptions, port: number, counters: ListenerCounters) {
    this.options = options;
    this.port = port;
    this.counters = counters;
  }

  take(datagram: Buffer, address: string): void {
    if (this.options.router.congested) {
      this.counters.lost++;
      return;
    }
    const receiver = this.receiverFor(address);
    let end = datagram.length;
    while (end > 0 && datagram[end - 1] === 0) end--; // some senders append C's terminating NUL
    if (receiver.take(datagram, 0, end) !== FrameOutcome.needsTokenLookup) {
      receiver.flushInBackground();
      return;
    }
    if (this.pendingLookups >= PENDING_LOOKUPS_MAX) {
      this.counters.lost++;
      return;
    }
    this.pendingLookups++;
    void receiver
      .loadToken()
      .then(() => {
        receiver.take(datagram, 0, end);
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
