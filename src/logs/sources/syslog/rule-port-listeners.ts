/** Listens on the ports that rules name, TCP and UDP on each, as rules are made and removed. */
import { systemCode, TailraceError } from '../../../common/errors.ts';
import type { RuleRecord } from '../../router/source-rules.ts';
import type { AppId } from '../../store/contract.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import type { SyslogListener, SyslogListenerOptions } from '../syslog-listener.ts';
import { listenTcp } from './tcp.ts';
import { listenUdp } from './udp.ts';

/** A port that was taken may be free again. */
const RETRY_MS = 60_000;

export interface RulePortListenersOptions {
  readonly listenOptions: Omit<SyslogListenerOptions, 'port' | 'counters'>;
  readonly counters: { readonly tcp: ListenerCounters; readonly udp: ListenerCounters };
  /** Ports of other listeners. */
  readonly reservedPorts: ReadonlySet<number | undefined>;
  /** An app's name. */
  readonly appName: (app: AppId) => Promise<string | undefined>;
  /** After which time a port that couldn't be listened on is tried again, ms. */
  readonly retryMs?: number;
}

export class RulePortListeners {
  private readonly options: RulePortListenersOptions;
  private readonly listeners = new Map<number, readonly SyslogListener[]>();
  /** Ports that can't be listened on: a warning was logged. */
  private readonly failedPorts = new Set<number>();
  private reconciling: Promise<void> = Promise.resolve();
  private retryTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: RulePortListenersOptions) {
    this.options = options;
  }

  /** Listens on the ports that rules name now, and from now on. */
  async start(): Promise<void> {
    this.options.listenOptions.rules.onChange(() => void this.reconcile());
    await this.reconcile();
  }

  /**
   * Can this port be listened on here, for a rule that is to be made?
   * @throws TailraceError `conflict` when it can't, with what to do.
   */
  async requirePort(port: number): Promise<void> {
    let failure: unknown;
    this.reconciling = this.reconciling.then(async () => {
      if (this.closed || this.options.reservedPorts.has(port) || this.listeners.has(port)) return;
      try {
        await closeAll(await this.listen(port));
      } catch (error) {
        failure = error;
      }
    });
    await this.reconciling;
    if (failure === undefined) return;
    const code = listenErrorCode(failure);
    const message =
      code === 'EADDRINUSE'
        ? `Port ${port} is taken on this server: choose another, or free it.`
        : `This server can't listen on port ${port} (${code || failure}): choose another${code === 'EACCES' ? ' from 1024 on, or let the server use such ports' : ''}.`;
    throw new TailraceError('conflict', message, { cause: failure });
  }

  /** Stops listening on the ports that rules name; a change of rules opens none any more. */
  async close(): Promise<void> {
    this.closed = true;
    await this.reconcile();
  }

  private reconcile(): Promise<void> {
    this.reconciling = this.reconciling.then(() => this.openAndCloseListeners());
    return this.reconciling;
  }

  private async openAndCloseListeners(): Promise<void> {
    clearTimeout(this.retryTimer);
    const { listenOptions, reservedPorts } = this.options;
    const rules = this.closed
      ? []
      : listenOptions.rules.rulesWithPort().filter(({ port }) => !reservedPorts.has(port));
    const wanted = new Map(rules.reverse().map((rule) => [rule.port, rule])); // of several rules, the first is named in warnings
    for (const port of this.failedPorts) if (!wanted.has(port)) this.failedPorts.delete(port);
    const unwanted = [...this.listeners].filter(([port]) => !wanted.has(port));
    for (const [port] of unwanted) this.listeners.delete(port);
    await closeAll(unwanted.flatMap(([, portListeners]) => portListeners));
    for (const [port, rule] of wanted) if (!this.listeners.has(port)) await this.openPort(port, rule);
    if (this.failedPorts.size > 0)
      this.retryTimer = setTimeout(() => void this.reconcile(), this.options.retryMs ?? RETRY_MS).unref();
  }

  private async openPort(port: number, rule: RuleRecord): Promise<void> {
    const { log } = this.options.listenOptions;
    try {
      this.listeners.set(port, await this.listen(port));
      if (this.failedPorts.delete(port))
        log.warn({ port }, `port ${port}, which a rule names, is listened on now`);
    } catch (error) {
      if (this.failedPorts.has(port)) return;
      this.failedPorts.add(port);
      // The name is in the store, which may be unavailable: then the id.
      const app = (await this.options.appName(rule.app).catch(() => undefined)) ?? rule.app;
      const code = listenErrorCode(error);
      const why = code === 'EADDRINUSE' ? 'is taken' : `can't be listened on (${code || error})`;
      log.warn(
        { port, app, rule: rule.id },
        `port ${port}, which a rule of the app ${app} names, ${why}: free it (it is tried again every minute), or remove the rule with \`tailrace sources:remove ${rule.id} -a ${app}\``,
      );
    }
  }

  private async listen(port: number): Promise<readonly SyslogListener[]> {
    const { listenOptions, counters } = this.options;
    // TCP behind UDP: whoever waits for a port asks over TCP, and over UDP nothing says that nobody listens yet.
    const udp = await listenUdp({ ...listenOptions, port, counters: counters.udp });
    try {
      return [await listenTcp({ ...listenOptions, port, counters: counters.tcp }), udp];
    } catch (error) {
      await udp.close();
      throw error;
    }
  }
}

async function closeAll(listeners: readonly SyslogListener[]): Promise<void> {
  await Promise.all(listeners.map((listener) => listener.close()));
}

/** The system's code: listeners' own errors name the setting of their default port, which isn't a rule's. */
function listenErrorCode(error: unknown): string {
  return systemCode(error instanceof TailraceError ? error.cause : error);
}
