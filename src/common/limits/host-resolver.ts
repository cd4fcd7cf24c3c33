/**
 * Resolves names of hosts that others have given. The system's own resolution takes a thread for as long as a name's servers keep silent, and
 * Node.js has few: names that nobody answers for would hold up all others, those of other parts of the process too.
 */
import { lookup, Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';

export interface ResolvedAddress {
  readonly address: string;
  /** 4 or 6. */
  readonly family: number;
}

type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export interface ResolverSources {
  /** As the system has it (`getaddrinfo`): with its hosts file, search domains and whatever else is configured. */
  readonly system: Resolve;
  /** By asking name servers: takes no thread. */
  readonly servers: Resolve;
  /** The name stands in the system's hosts file: name servers may say something else. */
  readonly isInHostsFile: (hostname: string) => Promise<boolean>;
}

export interface ResolverLimits {
  /** Name servers are asked as well when the system hasn't answered for so long. */
  readonly systemMs: number;
  /** Nobody waits for longer. */
  readonly waitMs: number;
}

/** Threads that the system's resolution may take; Node.js gives it two of four. */
const SYSTEM_AT_ONCE = 1;
const LIMITS: ResolverLimits = { systemMs: 500, waitMs: 4_000 };
const SERVERS: ResolverSources = {
  system: (hostname) => lookup(hostname, { all: true }),
  servers: askServers,
  isInHostsFile,
};

/** One for a process. */
export class HostResolver {
  private readonly sources: ResolverSources;
  private readonly limits: ResolverLimits;
  private readonly current = new Map<string, Promise<readonly ResolvedAddress[]>>();
  private readonly queue: (() => Promise<unknown>)[] = [];
  private running = 0;

  constructor(sources: ResolverSources = SERVERS, limits: ResolverLimits = LIMITS) {
    this.sources = sources;
    this.limits = limits;
  }

  /**
   * The addresses of a name, one at least; all who ask for the same at a time share the answer.
   * @throws the system's error, or one that says that there was no answer in time
   */
  resolve(hostname: string): Promise<readonly ResolvedAddress[]> {
    let answer = this.current.get(hostname);
    if (!answer) {
      answer = this.resolveAnew(hostname).finally(() => this.current.delete(hostname));
      this.current.set(hostname, answer);
    }
    return answer;
  }

  private resolveAnew(hostname: string): Promise<readonly ResolvedAddress[]> {
    const { sources, limits } = this;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (settle: () => void): void => {
        isOver = true;
        clearTimeout(slow);
        clearTimeout(late);
        settle();
      };
      const slow = setTimeout(() => {
        void this.askBesides(hostname).then((found) => found.length > 0 && end(() => resolve(found)));
      }, limits.systemMs).unref();
      const late = setTimeout(() => {
        end(() =>
          reject(new Error(`no name server answered for ${hostname} within ${limits.waitMs / 1_000} s`)),
        );
      }, limits.waitMs).unref();
      this.queue.push(async () => {
        // Whoever wanted to know it knows it, or waits no more.
        if (isOver) return;
        await sources.system(hostname).then(
          (found) => end(() => resolve(found)),
          (error) => end(() => reject(error)),
        );
      });
      this.runNext();
    });
  }

  /** What name servers say, when that can't be other than what the system would say; nothing when they don't. */
  private async askBesides(hostname: string): Promise<readonly ResolvedAddress[]> {
    try {
      return (await this.sources.isInHostsFile(hostname)) ? [] : await this.sources.servers(hostname);
    } catch {
      return [];
    }
  }

  private runNext(): void {
    if (this.running >= SYSTEM_AT_ONCE) return;
    const next = this.queue.shift();
    if (!next) return;
    this.running++;
    void next().finally(() => {
      this.running--;
      this.runNext();
    });
  }
}

async function askServers(hostname: string): Promise<readonly ResolvedAddress[]> {
  // A new one has the name servers as they are configured now.
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  const found = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  return found.flatMap((answer, i) =>
    answer.status === 'fulfilled'
      ? answer.value.map((address) => ({ address, family: i === 0 ? 4 : 6 }))
      : [],
  );
}

async function isInHostsFile(hostname: string): Promise<boolean> {
  const text = await readFile('/etc/hosts', 'utf8').catch(() => '');
  const name = hostname.toLowerCase();
  return text
    .split('\n')
    .some((line) => line.replace(/#.*/, '').toLowerCase().split(/\s+/).slice(1).includes(name));
}

export const hostResolver = new HostResolver();
