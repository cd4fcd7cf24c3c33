import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { formatDate, formatMilliseconds, formatTimeOfDay } from '../../text/format.ts';
import { visibleText } from '../../text/visible-text.ts';
import type { BreadcrumbJson, EventJson, JsonMap } from './errors-json.ts';
import type { ErrorsState } from './errors-state.ts';
import { JsonTable, PairTable } from './json-table.tsx';
import { StackTrace, StackTraces } from './stack-trace.tsx';

/** Everything that an event tells. */
export function EventView({ event: shown, errors }: { event: EventJson; errors: ErrorsState }) {
  const { event, raw } = shown;
  return (
    // Another event begins anew: nothing that was opened stays so.
    <div class="event" key={shown.number}>
      {event.message && event.exceptions.length > 0 && (
        <pre class="event-message">{visibleText(event.message)}</pre>
      )}
      <StackTraces exceptions={event.exceptions} errors={errors} />
      {event.exceptions.length === 0 && event.message && (
        <pre class="event-message">{visibleText(event.message)}</pre>
      )}
      {event.frames.length > 0 && <StackTrace frames={event.frames} errors={errors} />}
      <Part title="Tags" isShown={factsOf(shown).length > 0}>
        <PairTable pairs={factsOf(shown)} label="Tags" />
      </Part>
      <Part title="Breadcrumbs" isShown={event.breadcrumbs.length > 0}>
        <Breadcrumbs breadcrumbs={event.breadcrumbs} />
      </Part>
      <MapPart title="Request" values={event.request} />
      <MapPart title="User" values={event.user} />
      <MapPart title="Extra" values={event.extra} />
      <MapPart title="Contexts" values={event.contexts} />
      <RawEvent raw={raw} />
    </div>
  );
}

function Part({
  title,
  isShown,
  children,
}: {
  title: string;
  isShown: boolean;
  children: ComponentChildren;
}) {
  if (!isShown) return null;
  return (
    <section class="part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function MapPart({ title, values }: { title: string; values: JsonMap | undefined }) {
  if (!values || Object.keys(values).length === 0) return null;
  return (
    <Part title={title} isShown={true}>
      <JsonTable values={values} label={title} />
    </Part>
  );
}

/** The whole event, as it is kept: written out when somebody wants to see it. */
function RawEvent({ raw }: { raw: JsonMap }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details class="part raw" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>
        <h3>JSON</h3>
      </summary>
      {isOpen && <pre>{visibleText(JSON.stringify(raw, null, 2))}</pre>}
    </details>
  );
}

/** What every event has of its own accord, and its tags. */
function factsOf({ event, received_at }: EventJson): (readonly [string, string])[] {
  const ms = event.atMs ?? Date.parse(received_at);
  const facts: (readonly [string, string | undefined])[] = [
    ['level', event.level],
    ['time', `${formatDate(ms)}, ${formatTimeOfDay(ms)}${formatMilliseconds(ms)}`],
    ['id', event.id],
    ['transaction', event.transaction],
    ['release', event.release],
    ['environment', event.environment],
    ['server', event.serverName],
    ['logger', event.logger],
    ['sdk', event.sdk],
    ...event.tags,
  ];
  return facts.flatMap(([name, value]) => (value ? [[name, value] as const] : []));
}

/** The last one was the nearest to the error: it comes first. */
function Breadcrumbs({ breadcrumbs }: { breadcrumbs: readonly BreadcrumbJson[] }) {
  return (
    <ol class="breadcrumbs" aria-label="Breadcrumbs">
      {[...breadcrumbs].reverse().map((crumb, i) => (
        <li key={i} data-level={crumb.level}>
          <time>{crumb.atMs === undefined ? '' : formatTimeOfDay(crumb.atMs)}</time>
          <b>{visibleText(crumb.category)}</b>
          <span>
            {visibleText(crumb.message)}
            {crumb.data && <code> {visibleText(JSON.stringify(crumb.data))}</code>}
          </span>
        </li>
      ))}
    </ol>
  );
}
