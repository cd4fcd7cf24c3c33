import { setMaxListeners } from 'node:events';
import { TailraceError } from '../../common/errors.ts';
import type { ApiClient } from '../api-client.ts';
import type { AppPrefix, LogOutput } from './log-output.ts';
import { mergeInOrder, type StreamLine } from './merge-order.ts';
import { followTail } from './tail-client.ts';
import type { TailClientOptions } from './tail-message.ts';

/** How often new apps are polled for. */
const APP_POLL_MS = 5_000;
/** Lines of history that are buffered to be sorted before they are shown. */
const SORTED_LINES_MAX = 200_000;

export interface MergedTailOptions {
  readonly query: TailClientOptions['query'];
  readonly tail: boolean;
  /** Of all apps together, the last so many lines from before now. */
  readonly lineCount?: number;
  readonly output: LogOutput;
  readonly onDisconnected: (why: string) => void;
  readonly onReconnected: () => void;
  readonly onNotice: (text: string) => void;
  /** The history is shown. */
  readonly onLive: () => void;
}

interface BufferedLine extends StreamLine {
  readonly line: unknown;
  readonly prefix: AppPrefix;
}

/**
 * Shows the streams of all apps: history sorted by time, then live lines, also of apps that are created meanwhile.
 * @throws TailraceError when there is no app, or the server rejects the request.
 */
export async function followAllApps(
  client: ApiClient,
  options: MergedTailOptions,
  signal: AbortSignal,
): Promise<void> {
  const { output, tail } = options;
  /** By the apps' ids: one that is renamed is no other one. */
  const tailsByApp = new Map<string, Promise<void>>();
  const names = new Map<string, string>();
  const catchingUp = new Set<string>();
  const disconnected = new Set<string>();
  let sortBuffer: BufferedLine[] | undefined = [];
  let width = 0;
  const stopped = new AbortController();
  setMaxListeners(0, stopped.signal); // one for each app
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {}); // awaited below, with a handler of its own
  signal.addEventListener('abort', () => stopped.abort());

  const flushSorted = (): void | Promise<void> => {
    if (!sortBuffer) return undefined;
    const sorted = mergeInOrder(sortBuffer);
    sortBuffer = undefined;
    options.onLive();
    const from = options.lineCount === undefined ? 0 : Math.max(0, sorted.length - options.lineCount);
    return output.writeMerged(sorted.slice(from));
  };
  const markCaughtUp = (app: string): void | Promise<void> => {
    if (catchingUp.delete(app) && catchingUp.size === 0) return flushSorted();
    return undefined;
  };
  const follow = async (app: string, query: MergedTailOptions['query']): Promise<void> => {
    await followTail(
      client.address,
      {
        app,
        query,
        onMessage: ({ lines, live }) => {
          const prefix = { app: names.get(app) ?? app, width };
          if (!sortBuffer) return output.write(lines, prefix);
          for (const line of lines) sortBuffer.push({ app: prefix.app, line, prefix, ms: lineTimeMs(line) });
          if (sortBuffer.length > SORTED_LINES_MAX) return flushSorted();
          return live ? markCaughtUp(app) : undefined;
        },
        onDisconnected: (why) => {
          if (disconnected.size === 0) options.onDisconnected(why);
          disconnected.add(app);
        },
        // The store is unavailable for all of them: one notice is enough.
        onNotice: (text) => {
          if (app === tailsByApp.keys().next().value) options.onNotice(text);
        },
        onReconnected: () => {
          if (disconnected.delete(app) && disconnected.size === 0) options.onReconnected();
        },
      },
      stopped.signal,
    ).catch((error: unknown) => {
      // The app was destroyed: its tail ends.
      if (!(error instanceof TailraceError && error.code === 'not_found')) throw error;
    });
    disconnected.delete(app);
    await markCaughtUp(app);
  };
  const refreshApps = async (isFirst: boolean): Promise<void> => {
    const apps = await client.request<{ id: string; name: string }[]>('GET', '/apps');
    width = Math.max(width, ...apps.map(({ name }) => name.length));
    for (const { id, name } of apps) names.set(id, name);
    const newApps = apps.map(({ id }) => id).filter((id) => !tailsByApp.has(id));
    if (isFirst) for (const app of newApps) catchingUp.add(app);
    // Of an app that is created now, all lines are new.
    const query = isFirst
      ? options.query
      : { ...options.query, lines: undefined, since: undefined, after: '0' };
    for (const app of newApps) tailsByApp.set(app, follow(app, query).catch(fail));
    const known = new Set(apps.map(({ id }) => id));
    for (const app of tailsByApp.keys()) if (!known.has(app)) tailsByApp.delete(app);
  };

  await refreshApps(true);
  if (tailsByApp.size === 0)
    throw new TailraceError('not_found', 'There is no app yet: make one with `tailrace create NAME`.');
  if (!tail) {
    await Promise.race([failed, Promise.all(tailsByApp.values())]);
    return;
  }
  const timer = setInterval(() => {
    // While the server is unavailable, the tails report it.
    if (disconnected.size === 0) refreshApps(false).catch(() => {});
  }, APP_POLL_MS);
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

/** When a line was written, milliseconds since 1970; NaN when its time can't be read. */
function lineTimeMs(line: unknown): number {
  const time =
    typeof line === 'string'
      ? line.slice(0, line.indexOf(' '))
      : typeof line === 'object' && line !== null && 'timestamp' in line
        ? String(line.timestamp)
        : '';
  return Date.parse(time);
}
