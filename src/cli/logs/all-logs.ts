import { TailraceError } from '../../common/errors.ts';
import type { Client } from '../client.ts';
import type { LogOutput, Prefix } from './log-output.ts';
import { followTail, type TailClientOptions } from './tail-client.ts';

/** How often is looked for new apps. */
const LOOK_MS = 5_000;
/** Lines that are kept to be put in order before they are shown. */
const ORDERED_MAX = 200_000;

export interface AllLogsOptions {
  readonly query: TailClientOptions['query'];
  readonly tail: boolean;
  /** Of all apps together, the last so many lines from before now. */
  readonly last?: number;
  readonly output: LogOutput;
  readonly onLost: (why: string) => void;
  readonly onAgain: () => void;
  readonly onNotice: (text: string) => void;
  /** The history is shown. */
  readonly onLive: () => void;
}

interface Waiting {
  readonly line: unknown;
  readonly prefix: Prefix;
  readonly ms: number;
}

/**
 * Shows the streams of all apps: what was in the order of time, then what comes, also of apps that are made meanwhile.
 * @throws TailraceError when there is no app, or the server refuses.
 */
export async function followAll(client: Client, options: AllLogsOptions, signal: AbortSignal): Promise<void> {
  const { output, tail } = options;
  const following = new Map<string, Promise<void>>();
  const behind = new Set<string>();
  const lost = new Set<string>();
  let waiting: Waiting[] | undefined = [];
  let width = 0;
  const stopped = new AbortController();
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {}); // whoever waits for it has their own handler
  signal.addEventListener('abort', () => stopped.abort());

  const showWaiting = (): void | Promise<void> => {
    if (!waiting) return undefined;
    const sorted = waiting.sort((a, b) => a.ms - b.ms);
    waiting = undefined;
    options.onLive();
    const from = options.last === undefined ? 0 : Math.max(0, sorted.length - options.last);
    return output.writeMixed(sorted.slice(from));
  };
  const isCaughtUp = (app: string): void | Promise<void> => {
    if (behind.delete(app) && behind.size === 0) return showWaiting();
    return undefined;
  };
  const follow = async (app: string, query: AllLogsOptions['query']): Promise<void> => {
    await followTail(
      client.address,
      {
        app,
        query,
        onMessage: ({ lines, live }) => {
          const prefix = { app, width };
          if (!waiting) return output.write(lines, prefix);
          for (const line of lines) waiting.push({ line, prefix, ms: timeOf(line) });
          if (waiting.length > ORDERED_MAX) return showWaiting();
          return live ? isCaughtUp(app) : undefined;
        },
        onLost: (why) => {
          if (lost.size === 0) options.onLost(why);
          lost.add(app);
        },
        // The store is away for all of them: one says so.
        onNotice: (text) => {
          if (app === following.keys().next().value) options.onNotice(text);
        },
        onAgain: () => {
          if (lost.delete(app) && lost.size === 0) options.onAgain();
        },
      },
      stopped.signal,
    ).catch((error: unknown) => {
      // An app that was destroyed has nothing more to say.
      if (!(error instanceof TailraceError && error.code === 'not_found')) throw error;
    });
    lost.delete(app);
    await isCaughtUp(app);
  };
  const look = async (isFirst: boolean): Promise<void> => {
    const apps = await client.ask<{ name: string }[]>('GET', '/apps');
    width = Math.max(width, ...apps.map(({ name }) => name.length));
    const fresh = apps.map(({ name }) => name).filter((name) => !following.has(name));
    if (isFirst) for (const app of fresh) behind.add(app);
    // What an app that is made now says is new from its first line on.
    const query = isFirst
      ? options.query
      : { ...options.query, lines: undefined, since: undefined, after: '0' };
    for (const app of fresh) following.set(app, follow(app, query).catch(fail));
    const names = new Set(apps.map(({ name }) => name));
    for (const app of following.keys()) if (!names.has(app)) following.delete(app);
  };

  await look(true);
  if (following.size === 0)
    throw new TailraceError('not_found', 'There is no app yet: make one with `tailrace create NAME`.');
  if (!tail) {
    await Promise.race([failed, Promise.all(following.values())]);
    return;
  }
  const timer = setInterval(() => {
    // While the server is away, the tails say so.
    if (lost.size === 0) look(false).catch(() => {});
  }, LOOK_MS);
  try {
    await Promise.race([failed, aborted(signal)]);
  } finally {
    clearInterval(timer);
    stopped.abort();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
}

/** When a line was written, milliseconds since 1970. */
function timeOf(line: unknown): number {
  const time =
    typeof line === 'string'
      ? line.slice(0, line.indexOf(' '))
      : typeof line === 'object' && line !== null && 'timestamp' in line
        ? String(line.timestamp)
        : '';
  return Date.parse(time) || 0;
}
