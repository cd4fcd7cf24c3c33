/** Puts the parts of alerts together: saved searches, their evaluation, and those who are told. */
import { VERSION } from '../../../src/common/package-info.ts';
import { TargetPolicy } from '../../../src/logs/drains/options/target-policy.ts';
import { Dialer } from '../../../src/logs/drains/sinks/dialer.ts';
import type { ViewerParts } from '../parts.ts';
import { AlertEvaluator } from './evaluate/evaluator.ts';
import type { SearchedStream } from './evaluate/watched-search.ts';
import { pagerDutyNotification, webhookNotification } from './notify/forms.ts';
import { postNotification } from './notify/http-sender.ts';
import { MailSender } from './notify/mail-sender.ts';
import { Notifier, type SendNotification } from './notify/notifier.ts';
import { AlertBook } from './records/alert-book.ts';
import { AlertHistory } from './records/alert-history.ts';
import type { SavedSearch } from './records/alert-records.ts';

export interface Alerts {
  readonly book: AlertBook;
  readonly history: AlertHistory;
  readonly notifier: Notifier;
  readonly evaluator: AlertEvaluator;
  readonly policy: TargetPolicy;
  readonly mail: MailSender;
  /** The streams that a search looks at now. */
  readonly streamsOf: (search: SavedSearch) => readonly SearchedStream[];
  /** The viewer listens: what is sent from here on has addresses of it. */
  start(): void;
  close(): Promise<void>;
}

/**
 * Opens alerts: lines are evaluated at once, and somebody is told after {@link Alerts.start}.
 * @throws TailraceError `settings`
 */
export async function openAlerts(parts: ViewerParts): Promise<Alerts> {
  const { settings, records, readers, groups, store, log, pageUrl } = parts;
  const policy = new TargetPolicy(
    settings.allowPrivateWebhooks,
    'alerts may not be posted to',
    'set VIEWER_ALLOW_PRIVATE_WEBHOOKS=yes on the viewer if it should be allowed',
  );
  const dialer = new Dialer(policy);
  const mail = new MailSender({ smtpUrl: settings.smtpUrl, from: settings.smtpFrom });
  const send: SendNotification = async (destination, event, key) => {
    const baseUrl = pageUrl();
    switch (destination.kind) {
      case 'webhook':
        return postNotification(
          webhookNotification(destination.form, destination.url, event, baseUrl),
          key,
          dialer,
          VERSION,
        );
      case 'pagerduty':
        return postNotification(
          pagerDutyNotification(destination.routingKey, destination.url, event, baseUrl),
          key,
          dialer,
          VERSION,
        );
      case 'email':
        return mail.send(destination.to, event, baseUrl, key);
    }
  };
  const streamsOf = ({ group, streams }: SavedSearch): readonly SearchedStream[] => {
    const all =
      group === undefined ? groups.list().flatMap(({ id }) => groups.streamsOf(id)) : groups.streamsOf(group);
    return streams ? all.filter(({ id }) => streams.includes(id)) : all;
  };
  const { history, undelivered } = await AlertHistory.open(records);
  let isStarted = false;
  const early = [...undelivered];
  const book = new AlertBook(records, () => evaluator.refresh());
  const notifier = new Notifier({ history, alert: (id) => book.findAlert(id), send, log });
  const evaluator: AlertEvaluator = await AlertEvaluator.start({
    records,
    readers,
    lines: store,
    history,
    streamsOf,
    onStreamsChange: (listener) => groups.onChange(listener),
    onEvents: (events) => {
      if (isStarted) notifier.add(events);
      else early.push(...events);
    },
    log,
  });
  return {
    book,
    history,
    notifier,
    evaluator,
    policy,
    mail,
    streamsOf,
    start: () => {
      isStarted = true;
      // What was on its way before comes first.
      notifier.add(early.splice(0));
    },
    close: async () => {
      await evaluator.close();
      await notifier.close();
      await mail.close();
    },
  };
}
