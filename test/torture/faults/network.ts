/** A network between a client and a server that is cut, resets, delays, or loses one direction, as it is told. */
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * `refuse`: connections are cut, and new ones refused. `reset`: they are reset, and so is each new one after its first bytes. `delay`: what
 * is sent takes a while. `stall`: nothing arrives, and nothing is lost. `vanish`: what is sent is lost, and nobody is told until it is over
 * (half-open connections). `mute`: what clients send arrives, and no answer does.
 */
export type NetworkTrouble = 'none' | 'refuse' | 'reset' | 'delay' | 'stall' | 'vanish' | 'mute';
export const NETWORK_TROUBLES: readonly NetworkTrouble[] = [
  'refuse',
  'reset',
  'delay',
  'stall',
  'vanish',
  'mute',
];

/** Those of which a sender that waits for no answer hears nothing. */
const SILENT: readonly NetworkTrouble[] = ['delay', 'stall', 'vanish', 'mute'];

interface Silence {
  readonly name: NetworkTrouble;
  readonly fromMs: number;
  toMs: number;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Something of it was lost. */
  isBroken: boolean;
}

export class Network {
  port = 0;
  private readonly targetPort: () => number;
  private readonly servers: Server[] = [];
  private readonly links = new Set<Link>();
  private trouble: NetworkTrouble = 'none';
  private delayMs = 0;
  /** When it took bytes and delivered none. */
  readonly silences: Silence[] = [];
  /** Of several addresses, the one that leads anywhere; undefined: all do. */
  private address: string | undefined;

  private constructor(targetPort: () => number) {
    this.targetPort = targetPort;
  }

  /** @param addresses of this machine on which it listens, on one port */
  static async open(targetPort: () => number, addresses = ['127.0.0.1']): Promise<Network> {
    const network = new Network(targetPort);
    for (const address of addresses) {
      const server = createServer({ allowHalfOpen: true }, (client) => network.accept(client, address));
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(network.port, address, resolve);
      });
      const bound = server.address();
      network.port = typeof bound === 'object' && bound ? bound.port : 0;
      network.servers.push(server);
    }
    return network;
  }

  /** Connections through other addresses are cut. */
  leadOnlyTo(address: string): void {
    this.address = address;
    for (const link of this.links) cut(link);
  }

  set(trouble: NetworkTrouble, delayMs = 0): void {
    const before = this.trouble;
    const now = Date.now();
    const current = this.silences.at(-1);
    if (current?.toMs === Number.POSITIVE_INFINITY) current.toMs = now;
    if (SILENT.includes(trouble))
      this.silences.push({ name: trouble, fromMs: now, toMs: Number.POSITIVE_INFINITY });
    this.trouble = trouble;
    this.delayMs = delayMs;
    for (const link of this.links) {
      if (trouble === 'refuse') cut(link);
      else if (trouble === 'reset') reset(link);
      else if (trouble === 'stall') for (const socket of [link.client, link.server]) socket.pause();
      else if (link.isBroken) reset(link);
      else if (before === 'stall') for (const socket of [link.client, link.server]) socket.resume();
    }
  }

  async close(): Promise<void> {
    for (const link of this.links) cut(link);
    await Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  private accept(client: Socket, address: string): void {
    if (this.trouble === 'refuse' || (this.address !== undefined && this.address !== address)) {
      client.on('error', () => {});
      client.destroy();
      return;
    }
    const server = connect({
      port: this.targetPort(),
      host: '127.0.0.1',
      noDelay: true,
      allowHalfOpen: true,
    });
    const link: Link = { client, server, isBroken: false };
    this.links.add(link);
    client.setNoDelay(true);
    if (this.trouble === 'stall') for (const socket of [client, server]) socket.pause();
    this.pass(link, client, server, false);
    this.pass(link, server, client, true);
    for (const socket of [client, server]) {
      socket.on('error', () => cut(link));
      socket.on('close', () => {
        // A network that loses everything loses the end, too.
        if (this.trouble === 'vanish' || this.trouble === 'mute') link.isBroken = true;
        else cut(link);
        if (client.destroyed && server.destroyed) this.links.delete(link);
      });
    }
  }

  private pass(link: Link, from: Socket, to: Socket, isAnswer: boolean): void {
    const isLost = (): boolean => {
      const lost = this.trouble === 'vanish' || (this.trouble === 'mute' && isAnswer);
      link.isBroken ||= lost;
      return lost || (link.isBroken && isAnswer);
    };
    let waiting = 0;
    /** In the order in which it was sent. */
    const deliver = (work: () => void): void => {
      if (this.trouble !== 'delay' && waiting === 0) {
        work();
        return;
      }
      waiting++;
      from.pause();
      setTimeout(() => {
        waiting--;
        work();
        if (this.trouble !== 'stall') from.resume();
      }, this.delayMs);
    };
    from.on('data', (bytes: Buffer) => {
      if (this.trouble === 'reset') {
        reset(link);
        return;
      }
      if (isLost()) return;
      deliver(() => {
        if (to.destroyed || to.write(bytes)) return;
        from.pause();
        to.once('drain', () => this.trouble !== 'stall' && from.resume());
      });
    });
    from.on('end', () => {
      if (!isLost()) deliver(() => void to.end());
    });
  }
}

function cut({ client, server }: Link): void {
  client.destroy();
  server.destroy();
}

function reset({ client, server }: Link): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}
