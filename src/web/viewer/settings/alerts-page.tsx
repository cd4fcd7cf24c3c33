import { useEffect, useState } from 'preact/hooks';
import { RelativeTime } from '../../addons/shared/relative-time.tsx';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../../view/icon.tsx';
import type { AlertEventJson, AlertJson } from '../api/viewer-json.ts';
import { ALL_LINES } from '../lines/line-selection.ts';
import { lineKey } from '../lines/viewer-line.ts';
import { formatViewerAddress, START_ADDRESS } from '../viewer-location.ts';
import type { ViewerPage } from '../viewer-page.ts';
import { AlertForm, destinationText } from './alert-form.tsx';
import { ActionButton, SettingsFrame, useQuestion } from './settings-frame.tsx';
import { Card, RowActions, SettingsTable } from './settings-table.tsx';

const REFRESH_MS = 5_000;
const EVENTS_SHOWN = 100;

/** When somebody is told of what a saved search finds, and what was told. */
export function AlertsPage({ page }: { page: ViewerPage }) {
  const [alerts, setAlerts] = useState<readonly AlertJson[] | undefined>(undefined);
  const [events, setEvents] = useState<readonly AlertEventJson[]>([]);
  const [form, setForm] = useState<{ alert?: AlertJson; search: string } | undefined>(() =>
    page.newAlertOn.value ? { search: page.newAlertOn.value } : undefined,
  );
  const [ask, question] = useQuestion();
  const load = (): Promise<boolean> =>
    page.attempt(async () => {
      const [all, fired] = await Promise.all([
        page.client.get<AlertJson[]>('api/alerts'),
        page.client.get<AlertEventJson[]>(`api/alert-events?limit=${EVENTS_SHOWN}`),
      ]);
      setAlerts(all);
      setEvents(fired);
    });
  useEffect(() => {
    page.newAlertOn.value = '';
    void load();
    void page.loadSavedSearches();
    const timer = setInterval(() => {
      if (!document.hidden) void load();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const askToRemove = (alert: AlertJson): void =>
    ask({
      title: `Remove ${visibleText(alert.name)}?`,
      text: 'Nobody is told any more; what was told stays in the list.',
      button: 'Remove it',
      isDangerous: true,
      onAnswer: async () => {
        await page.client.change('DELETE', alertPath(alert));
        await load();
      },
    });
  const hasSearches = page.savedSearches.value.length > 0;
  return (
    <SettingsFrame
      title="Alerts"
      hint="An alert looks at each line as it comes, and tells somebody when a saved search finds enough, or nothing."
      actions={
        hasSearches && (
          <button
            type="button"
            class="main-button"
            onClick={() => setForm({ search: page.savedSearches.value[0].id })}
          >
            <Icon name="plus" /> New alert
          </button>
        )
      }
    >
      {alerts?.length === 0 && (
        <p class="settings-empty">
          {hasSearches
            ? 'No alert yet.'
            : 'An alert is on a saved search: search for something among the logs, and save it (s).'}
        </p>
      )}
      {alerts && alerts.length > 0 && (
        <Card label="Alerts">
          <SettingsTable columns={['alert', 'when', 'where']}>
            <tbody>
              {alerts.map((alert) => (
                <AlertRow
                  key={alert.id}
                  alert={alert}
                  page={page}
                  reload={load}
                  onChange={() => setForm({ alert, search: alert.search })}
                  onRemove={() => askToRemove(alert)}
                />
              ))}
            </tbody>
          </SettingsTable>
        </Card>
      )}
      {events.length > 0 && (
        <Card label="What was told" head={<h3>What was told</h3>}>
          <ul class="events">
            {events.map((event) => (
              <EventItem key={event.id} event={event} page={page} />
            ))}
          </ul>
        </Card>
      )}
      {form && (
        <AlertForm
          page={page}
          alert={form.alert}
          search={form.search}
          onClose={() => {
            setForm(undefined);
            void load();
          }}
        />
      )}
      {question}
    </SettingsFrame>
  );
}

interface AlertRowProps {
  readonly alert: AlertJson;
  readonly page: ViewerPage;
  readonly reload: () => Promise<boolean>;
  readonly onChange: () => void;
  readonly onRemove: () => void;
}

function AlertRow({ alert, page, reload, onChange, onRemove }: AlertRowProps) {
  const { enabled, problem, condition, destinations, last_fired_at: lastFiredAt } = alert;
  const name = visibleText(alert.name);
  const path = alertPath(alert);
  return (
    <tr data-off={!enabled}>
      <th scope="row">
        {name}
        {!enabled && <small> off</small>}
        {problem !== null && <p class="alert-problem">{visibleText(problem)}</p>}
      </th>
      <td>
        {visibleText(condition.text ?? condition.kind)}
        {lastFiredAt !== null && (
          <small>
            {' '}
            fired <RelativeTime ms={Date.parse(lastFiredAt)} />
          </small>
        )}
      </td>
      <td class="destinations">
        {destinations.length === 0
          ? 'nowhere'
          : destinations.map((one) => <span key={one.id}>{visibleText(destinationText(one))}</span>)}
      </td>
      <RowActions>
        <button type="button" class="plain-button" onClick={() => void test(page, path).then(reload)}>
          Test
        </button>
        <ActionButton
          icon={enabled ? 'pause' : 'play'}
          label={`${enabled ? 'Turn off' : 'Turn on'} ${name}`}
          onClick={() =>
            void page.attempt(() => page.client.change('PATCH', path, { enabled: !enabled })).then(reload)
          }
        />
        <ActionButton icon="pencil" label={`Change ${name}`} onClick={onChange} />
        <ActionButton icon="trash" label={`Remove ${name}`} onClick={onRemove} />
      </RowActions>
    </tr>
  );
}

function alertPath({ id }: AlertJson): string {
  return `api/alerts/${encodeURIComponent(id)}`;
}

async function test(page: ViewerPage, path: string): Promise<void> {
  await page.attempt(async () => {
    const { deliveries } = await page.client.change<AlertEventJson>('POST', `${path}/test`);
    const failed = deliveries.find(({ state }) => state !== 'sent');
    if (failed) throw new Error(`The test couldn’t be delivered: ${failed.error ?? 'it isn’t sent yet'}`);
    page.showNotice('Test sent');
  });
}

function EventItem({ event, page }: { event: AlertEventJson; page: ViewerPage }) {
  const { kind, title, summary, search, from, to, lines, deliveries, muted } = event;
  const failed = deliveries.filter(({ state }) => state === 'failed');
  const waiting = deliveries.some(({ state }) => state === 'waiting');
  const selection = { ...ALL_LINES, q: search.q, group: search.group ?? '', from, to };
  return (
    <li class="event" data-kind={kind}>
      <p class="event-head">
        <b>{visibleText(title)}</b>
        <RelativeTime ms={Date.parse(to)} />
      </p>
      <p>{visibleText(summary)}</p>
      {lines.length > 0 && (
        <ul class="event-lines">
          {lines.map((line) => (
            <li key={lineKey(line)}>
              <a
                href={formatViewerAddress({
                  ...START_ADDRESS,
                  selection: { ...ALL_LINES, stream: line.stream },
                  line: lineKey(line),
                })}
                title="Among the lines around it"
              >
                {visibleText(`${line.stream_name} ${line.program}: ${line.message}`)}
              </a>
            </li>
          ))}
        </ul>
      )}
      <p class="event-foot">
        {kind !== 'test' && (
          <button type="button" class="link-button" onClick={() => void page.changeSelection(selection)}>
            Show its lines
          </button>
        )}
        <span>{muted ? 'muted' : waiting ? 'on its way' : failed.length === 0 ? 'told' : ''}</span>
        {failed.map(({ destination, error }) => (
          <span key={destination} class="error-text">
            not delivered: {visibleText(error ?? 'no answer')}
          </span>
        ))}
      </p>
    </li>
  );
}
