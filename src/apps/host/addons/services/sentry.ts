import { createHash } from 'node:crypto';
import { reasonOf, TailraceError } from '../../../../common/errors.ts';
import type { LocalInstance, ProcessService } from '../local/local-service.ts';
import { ownProgram } from '../local/own-program.ts';

const ASK_TIMEOUT_MS = 3_000;
const MEGABYTE = 1_048_576;

/** Of `GET /api/summary`, what is needed here. */
interface ErrorSummary {
  readonly groups: Readonly<Record<'unresolved' | 'resolved' | 'ignored', number>>;
  readonly events: number;
  readonly kept_events: number;
  readonly kept_bytes: number;
  readonly evicted_events: number;
}

export const sentryService: ProcessService = {
  ...ownProgram('addon-errors', (instance) => ({ publicKey: publicKeyOf(instance) })),
  service: 'sentry',
  facts: (instance) => ({ dsn: `http://${publicKeyOf(instance)}@localhost:${instance.port}/1` }),
  message: ({ name }) =>
    `Sentry's SDKs report to it by themselves: they read SENTRY_DSN. See the errors with tailrace addons:open ${name}`,
  async info(instance) {
    const { groups, events, kept_events, kept_bytes } = await ask(instance);
    return [
      { name: 'Plan', values: [instance.plan.description] },
      { name: 'Status', values: ['available'] },
      {
        name: 'Errors',
        values: [`${groups.unresolved} unresolved, ${groups.resolved} resolved, ${groups.ignored} ignored`],
      },
      {
        name: 'Events',
        values: [`${events}, ${kept_events} of them kept (${(kept_bytes / MEGABYTE).toFixed(1)} MB)`],
      },
    ];
  },
  async samples(instance) {
    const { groups, events, kept_bytes, evicted_events } = await ask(instance);
    return {
      events,
      errors: groups.unresolved + groups.resolved + groups.ignored,
      'unresolved-errors': groups.unresolved,
      'kept-size': `${kept_bytes}bytes`,
      'evicted-events': evicted_events,
    };
  },
};

/** Of the DSN, which browsers may have: the key of the page doesn't follow from it. */
function publicKeyOf({ password }: LocalInstance): string {
  return createHash('sha256').update(`sentry ${password}`).digest('hex').slice(0, 32);
}

async function ask({ port, password, name }: LocalInstance): Promise<ErrorSummary> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/api/summary`, {
      headers: { authorization: `Bearer ${password}` },
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    return (await answer.json()) as ErrorSummary;
  } catch (error) {
    throw new TailraceError('unavailable', `${name} doesn't answer: ${reasonOf(error)}`, { cause: error });
  }
}
