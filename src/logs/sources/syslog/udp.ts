/** Source: syslog over UDP (RFC 5426), one line a datagram. Senders get no response, so losses are counted. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { waitWithTimeout } from '../../../common/wait-with-timeout.ts';
import { normalizeAddress } from '../../router/source-rules.ts';
import { hasPriority, isDigit, isSeparator, readCount } from '../../syslog/frame-boundary.ts';
import { LineReceiver } from '../line-receiver.ts';
import { listenError } from '../listen.ts';
import { createListenerCounters, type ListenerCounters } from '../listener-counters.ts';
import { RejectionWarnings } from '../rejection-warnings.ts';
import { SourceResolver } from '../source-resolver.ts';
import type { SyslogListener, SyslogListenerOptions } from '../syslog-listener.ts';
import { DatagramBatch } from './datagram-batch.ts';
import { DatagramSender, HoldBudget } from './datagram-sender.ts';

/** The socket's receive buffer, for bursts: as much of 16 MiB as the system allows (net.core.rmem_max). */
const RECEIVE_BYTES = 16 * 1_048_576;
/** How long they may when the listener closes. */
const CLOSE_TIMEOUT_MS = 1_000;
/** Few datagrams come in one turn of the event loop: under load they are taken and stored with those of later ones, so many milliseconds at the most. */
const LINGER_MS = 5;
/** `65507` */
const COUNT_DIGITS_MAX = 5;
const SPACE = 0x20;

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
      reject(listenError(error, options, 'syslog (UDP)', 'TAILRACE_SYSLOG_PORT'));
    });
    socket.bind({ address: host, port }, () => resolve());
  });
  socket.removeAllListeners('error');
  socket.on('error', (error) => options.log.warn({ err: error }, 'syslog (UDP) failed to receive'));
  const datagramPort = new DatagramPort(options, socket.address().port, counters, () =>
    rejectionWarnings.check(),
  );
  socket.on('message', (datagram: Buffer, sender: RemoteInfo) => {
    datagramPort.take(datagram, sender.address);
  });
  return {
    port: socket.address().port,
    counters,
    close: async () => {
      await new Promise<void>((resolve) => socket.close(() => resolve()));
      await waitWithTimeout(CLOSE_TIMEOUT_MS, datagramPort.finish());
    },
  };
}

/** How many bytes of `datagram[0, end)` are a count of what is behind them: some senders count octets over UDP as well (`logger --octet-count`). */
function countLength(datagram: Buffer, end: number): number {
  let at = 0;
  while (at < COUNT_DIGITS_MAX && isDigit(datagram[at])) at++;
  const content = at + 1;
  if (datagram[at] !== SPACE || !hasPriority(datagram, content)) return 0;
  const rest = end - content - readCount(datagram, 0, at);
  return rest === 0 || (rest === 1 && isSeparator(datagram[end - 1])) ? content : 0;
}

/** Takes the datagrams of a port. */
class DatagramPort {
  private readonly options: SyslogListenerOptions;
  private readonly port: number;
  private readonly counters: ListenerCounters;
  private readonly name: string;
  private readonly holdBudget: HoldBudget;
  private readonly batch: DatagramBatch<DatagramSender>;
  /** The last sender: many datagrams of one come one after the other. */
  private lastAddress = '';
  private lastSender: DatagramSender | undefined;

  /**
   * @param port the local port, for rules.
   * @param taken is called when lines were taken.
   */
  constructor(options: SyslogListenerOptions, port: number, counters: ListenerCounters, taken: () => void) {
    this.options = options;
    this.port = port;
    this.counters = counters;
    this.name = options.datagramMemory.nextPortName();
    this.holdBudget = new HoldBudget(options.datagramMemory);
    this.batch = new DatagramBatch(
      (sender, bytes, start, end) => sender.take(bytes, start, end),
      (sender) => {
        sender.flushInBackground(LINGER_MS);
        taken();
      },
      LINGER_MS,
    );
  }

  take(datagram: Buffer, address: string): void {
    if (this.options.router.congested) {
      this.counters.lost++;
      return;
    }
    if (!this.lastSender || address !== this.lastAddress) {
      this.lastSender = this.senderOf(address);
      this.lastAddress = address;
    }
    let end = datagram.length;
    while (end > 0 && datagram[end - 1] === 0) end--; // some senders append C's terminating NUL
    if (isDigit(datagram[0])) {
      const line = datagram.subarray(countLength(datagram, end), end);
      this.batch.add(line, line.length, this.lastSender);
    } else this.batch.add(datagram, end, this.lastSender);
  }

  /** Takes what has come. */
  async finish(): Promise<void> {
    this.batch.flush();
    await this.holdBudget.whenNone();
  }

  private senderOf(address: string): DatagramSender {
    const { senders } = this.options.datagramMemory;
    const key = `${this.name} ${address}`;
    let sender = senders.get(key);
    if (!sender) {
      const { options, counters, port } = this;
      const { router, rules, rateLimiter } = options;
      const host = normalizeAddress(address);
      const sourceResolver = new SourceResolver(router, rules, { address: host, port });
      const receiver = new LineReceiver({
        router,
        counters,
        host,
        sourceResolver,
        rateLimiter,
        isLossy: true,
      });
      sender = new DatagramSender(receiver, this.holdBudget, () => counters.lost++);
      senders.set(key, sender);
    }
    return sender;
  }
}
