/** Lines in over syslog UDP (RFC 5426): one line a datagram. Nobody answers, so losses are counted. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { plainAddress } from '../../router/rules.ts';
import { type SourceCounters, sourceCounters } from '../counters.ts';
import { Identity } from '../identity.ts';
import { Intake, Taken } from '../intake.ts';
import { listenError } from '../listening.ts';
import { Refusals } from '../refusals.ts';
import type { Source, SourceOptions } from '../source.ts';

/** Asked of the system, so that a burst finds room: 4 MiB. */
const RECEIVE_BYTES = 4 * 1_048_576;
/** Datagrams that may wait for the look-up of their token. */
const ASKING_MAX = 1_000;
/** Senders whose intake is kept. */
const SENDERS_MAX = 1_000;

/**
 * Listens for syslog over UDP.
 * @throws TailraceError `address_in_use` when the port is taken.
 */
export async function listenUdp(options: SourceOptions): Promise<Source> {
  const { host, port } = options;
  const counters = options.counters ?? sourceCounters('udp');
  const refusals = new Refusals(counters, options.warn);
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
  const taker = new DatagramTaker(options, socket.address().port, counters);
  socket.on('message', (datagram: Buffer, sender: RemoteInfo) => {
    taker.take(datagram, sender.address);
    refusals.check();
  });
  return {
    port: socket.address().port,
    counters,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

class DatagramTaker {
  private readonly options: SourceOptions;
  private readonly port: number;
  private readonly counters: SourceCounters;
  private readonly intakes = new Map<string, Intake>();
  private asking = 0;

  /** @param port ours. */
  constructor(options: SourceOptions, port: number, counters: SourceCounters) {
    this.options = options;
    this.port = port;
    this.counters = counters;
  }

  take(datagram: Buffer, address: string): void {
    if (this.options.router.congested) {
      this.counters.lost++;
      return;
    }
    const intake = this.intake(address);
    let end = datagram.length;
    while (end > 0 && datagram[end - 1] === 0) end--; // some senders end their strings as C does
    if (intake.take(datagram, 0, end) !== Taken.ask) {
      intake.entrust();
      return;
    }
    if (this.asking >= ASKING_MAX) {
      this.counters.lost++;
      return;
    }
    this.asking++;
    void intake
      .load()
      .then(() => {
        intake.take(datagram, 0, end);
        intake.entrust();
      })
      .catch(() => {
        this.counters.lost++;
      })
      .finally(() => {
        this.asking--;
      });
  }

  private intake(address: string): Intake {
    let intake = this.intakes.get(address);
    if (!intake) {
      if (this.intakes.size >= SENDERS_MAX) this.intakes.clear();
      const { router, rules, limits } = this.options;
      const host = plainAddress(address);
      const identity = new Identity(router, rules, { address: host, port: this.port });
      intake = new Intake({ router, counters: this.counters, host, identity, limits });
      this.intakes.set(address, intake);
    }
    return intake;
  }
}
