import type { LocalInstance, ProcessService } from '../local/local-service.ts';
import { askOwnProgram, derivedSecret, ownProgram } from '../local/own-program.ts';

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
    const { groups, events, kept_events, kept_bytes } = await summaryOf(instance);
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
    const { groups, events, kept_bytes, evicted_events } = await summaryOf(instance);
    return {
      events,
      errors: groups.unresolved + groups.resolved + groups.ignored,
      'unresolved-errors': groups.unresolved,
      'kept-size': `${kept_bytes}bytes`,
      'evicted-events': evicted_events,
    };
  },
};

const publicKeyOf = ({ password }: LocalInstance): string => derivedSecret(password, 'sentry public key');
const summaryOf = (instance: LocalInstance): Promise<ErrorSummary> => askOwnProgram(instance, 'api/summary');
