import { setTimeout as delay } from 'node:timers/promises';
import { sendClientRequest } from './client-request.ts';

interface SilenceLimits {
  /** How often it is asked whether it is there, and how long it has for that. */
  readonly everyMs: number;
  /** After so long without any answer it counts as silent. */
  readonly giveUpMs: number;
}

const LIMITS: SilenceLimits = { everyMs: 15_000, giveUpMs: 60_000 };

/**
 * Watches a server while it is waited for. How long a request takes says nothing: a release waits for its release command. But a server that
 * works answers another request meanwhile, and one that is stopped, or gone behind a firewall, doesn't. The system takes connections for it all the same.
 * @param url an address of it that answers at once, whatever it says
 * @returns a signal that is aborted with an error when the server is silent, and how to stop watching
 */
export function watchForSilence(
  url: string,
  { everyMs, giveUpMs }: SilenceLimits = LIMITS,
): { readonly signal: AbortSignal; end(): void } {
  const silence = new AbortController();
  const ended = new AbortController();
  const watch = async (): Promise<void> => {
    let lastAnswerMs = performance.now();
    for (;;) {
      await delay(everyMs, undefined, { signal: ended.signal, ref: false });
      const askedMs = performance.now();
      const answers = await hasAnswer(url, AbortSignal.any([ended.signal, AbortSignal.timeout(everyMs)]));
      // From when it was asked on: this process may have stood still.
      if (answers) lastAnswerMs = askedMs;
      else if (performance.now() - lastAnswerMs >= giveUpMs) {
        silence.abort(new ServerSilence());
        return;
      }
    }
  };
  // It rejects when it is ended.
  watch().catch(() => {});
  return { signal: silence.signal, end: () => ended.abort() };
}

/** A server takes connections, and answers nothing. */
export class ServerSilence extends Error {
  readonly code = 'SILENT';
}

async function hasAnswer(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const { body } = await sendClientRequest(url, { signal });
    body.on('error', () => {}).resume();
    return true;
  } catch {
    return false;
  }
}
