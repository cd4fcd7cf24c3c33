/** The ports that rules name: TCP and UDP are listened for on each, as rules come and go. */
import { systemCode, TailraceError } from '../../../common/errors.ts';
import type { RuleRecord } from '../../router/rules.ts';
import type { AppId } from '../../store/contract.ts';
import type { SourceCounters } from '../counters.ts';
import type { Source, SourceOptions } from '../source.ts';
import { listenTcp } from './tcp.ts';
import { listenUdp } from './udp.ts';

/** A port that was taken may be free again. */
const RETRY_MS = 60_000;

export interface RulePortsOptions {
  readonly listening: Omit<SourceOptions, 'port' | 'counters'>;
  readonly counters: { readonly tcp: SourceCounters; readonly udp: SourceCounters };
  /** Ports that are listened on anyway. */
  readonly own: ReadonlySet<number | undefined>;
  /** What people call an app. */
  readonly appName: (app: AppId) => Promise<string | undefined>;
  /** After which time a port that couldn't be listened on is tried again, ms. */
  readonly retryMs?: number;
}

export class RulePorts {
  private readonly options: RulePortsOptions;
  private readonly open = new Map<number, readonly Source[]>();
  /** Ports that can't be listened on: told of once. */
  private readonly failing = new Set<number>();
  private work: Promise<void> = Promise.resolve();
  private retry: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: RulePortsOptions) {
    this.options = options;
  }

  /** Listens on the ports that rules name now, and from now on. */
  async follow(): Promise<void> {
    this.options.listening.rules.onChange(() => void this.adjust());
    await this.adjust();
  }

  /**
   * Can this port be listened on here, for a rule that is to be made?
   * @throws TailraceError `conflict` when it can't, with what to do.
   */
  async require(port: number): Promise<void> {
    let failure: unknown;
    this.work = this.work.then(async () => {
      if (this.closed || this.options.own.has(port) || this.open.has(port)) return;
      try {
        await closeAll(await this.listen(port));
      } catch (error) {
        failure = error;
      }
    });
    await this.work;
    if (failure === undefined) return;
    const code = codeOf(failure);
    const message =
      code === 'EADDRINUSE'
        ? `Port ${port} is taken on this server: choose another, or free it.`
        : `This server can't listen on port ${port} (${code || failure}): choose another${code === 'EACCES' ? ' from 1024 on, or let the server use such ports' : ''}.`;
    throw new TailraceError('conflict', message, { cause: failure });
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.adjust();
  }

  private adjust(): Promise<void> {
    this.work = this.work.then(() => this.openAndClose());
    return this.work;
  }

  private async openAndClose(): Promise<void> {
    clearTimeout(this.retry);
    const { listening, own } = this.options;
    const rules = this.closed ? [] : listening.rules.withPorts().filter(({ port }) => !own.has(port));
    const wanted = new Map(rules.reverse().map((rule) => [rule.port, rule])); // of several, the first is told of
    for (const port of this.failing) if (!wanted.has(port)) this.failing.delete(port);
    for (const [port, sources] of this.open) {
      if (wanted.has(port)) continue;
      this.open.delete(port);
      await closeAll(sources);
    }
    for (const [port, rule] of wanted) if (!this.open.has(port)) await this.begin(port, rule);
    if (this.failing.size > 0)
      this.retry = setTimeout(() => void this.adjust(), this.options.retryMs ?? RETRY_MS).unref();
  }

  private async begin(port: number, rule: RuleRecord): Promise<void> {
    const { warn } = this.options.listening;
    try {
      this.open.set(port, await this.listen(port));
      if (this.failing.delete(port)) warn({ port }, `port ${port}, which a rule names, is listened on now`);
    } catch (error) {
      if (this.failing.has(port)) return;
      this.failing.add(port);
      // Without its name, which is in the store, the rule can still be told of.
      const app = (await this.options.appName(rule.app).catch(() => undefined)) ?? rule.app;
      const code = codeOf(error);
      const why = code === 'EADDRINUSE' ? 'is taken' : `can't be listened on (${code || error})`;
      warn(
        { port, app, rule: rule.id },
        `port ${port}, which a rule of the app ${app} names, ${why}: free it (it is tried again every minute), or remove the rule with \`tailrace sources:remove ${rule.id} -a ${app}\``,
      );
    }
  }

  private async listen(port: number): Promise<readonly Source[]> {
    const { listening, counters } = this.options;
    const tcp = await listenTcp({ ...listening, port, counters: counters.tcp });
    try {
      return [tcp, await listenUdp({ ...listening, port, counters: counters.udp })];
    } catch (error) {
      await tcp.close();
      throw error;
    }
  }
}

async function closeAll(sources: readonly Source[]): Promise<void> {
  await Promise.all(sources.map((source) => source.close()));
}

/** Listeners explain errors with the setting of their usual port, which is none of a rule's. */
function codeOf(error: unknown): string {
  return systemCode(error instanceof TailraceError ? error.cause : error);
}
