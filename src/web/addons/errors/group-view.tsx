import { formatCount, formatNumber } from '../../../common/text/format-numbers.ts';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../../view/icon.tsx';
import { RelativeTime } from '../shared/relative-time.tsx';
import type { GroupJson } from './errors-json.ts';
import type { ErrorsState } from './errors-state.ts';
import { EventView } from './event-view.tsx';
import { HourChart } from './hour-chart.tsx';

/** The opened error, and one of its events. */
export function GroupView({ errors }: { errors: ErrorsState }) {
  const { value: group } = errors.group;
  const { value: event } = errors.event;
  if (!group) return <article class="group" aria-label="Error" />;
  return (
    <article class="group" aria-label="Error">
      <GroupHeader group={group} errors={errors} />
      {event && <EventBar errors={errors} />}
      {event && <EventView event={event} errors={errors} />}
      {group.kept_events === 0 && (
        <p class="hint group-hint">Its events had to go for newer ones; they are still counted.</p>
      )}
    </article>
  );
}

function GroupHeader({ group, errors }: { group: GroupJson; errors: ErrorsState }) {
  const releases = [group.first_release, group.last_release].filter((release) => release !== null);
  return (
    <header class="group-header" data-level={group.level}>
      <div class="group-heading">
        <button
          type="button"
          class="toolbar-button back-button"
          aria-label="Back to the list"
          onClick={() => errors.close()}
        >
          <Icon name="expand" />
        </button>
        <h2>
          <i class="level-dot" role="img" aria-label={group.level} title={group.level} />
          {visibleText(group.type || group.level)}
          {group.status !== 'unresolved' && <small class="status-badge">{group.status}</small>}
          {group.regressions > 0 && group.status === 'unresolved' && (
            <small class="status-badge">came back</small>
          )}
        </h2>
        <div class="group-actions">
          <StatusButton status="resolved" label="Resolve" group={group} errors={errors} />
          <StatusButton status="ignored" label="Ignore" group={group} errors={errors} />
          <button type="button" title="Delete it (d)" onClick={() => errors.askToDelete()}>
            Delete
          </button>
        </div>
      </div>
      <p class="group-value">{visibleText(group.value)}</p>
      <p class="group-place">
        {visibleText(group.location)}
        {group.location && group.culprit && ' · '}
        {visibleText(group.culprit)}
      </p>
      <dl class="group-facts">
        <div>
          <dt>events</dt>
          <dd>{formatNumber(group.count)}</dd>
        </div>
        <div>
          <dt>users</dt>
          <dd>{formatNumber(group.users)}</dd>
        </div>
        <div>
          <dt>last</dt>
          <dd>
            <RelativeTime ms={Date.parse(group.last_seen)} />
          </dd>
        </div>
        <div>
          <dt>first</dt>
          <dd>
            <RelativeTime ms={Date.parse(group.first_seen)} />
          </dd>
        </div>
        {releases.length > 0 && (
          <div>
            <dt>{new Set(releases).size > 1 ? 'releases' : 'release'}</dt>
            <dd>{visibleText([...new Set(releases)].join(' – '))}</dd>
          </div>
        )}
        {group.environments.length > 0 && (
          <div>
            <dt>in</dt>
            <dd>{visibleText(group.environments.join(', '))}</dd>
          </div>
        )}
        <div class="week">
          <dt>7 days</dt>
          <dd>
            <HourChart hours={group.hours} label="in 7 days" />
          </dd>
        </div>
      </dl>
    </header>
  );
}

function StatusButton({
  status,
  label,
  group,
  errors,
}: {
  status: 'resolved' | 'ignored';
  label: string;
  group: GroupJson;
  errors: ErrorsState;
}) {
  const isSet = group.status === status;
  return (
    <button
      type="button"
      aria-pressed={isSet}
      title={`${isSet ? 'Take it back' : `${label} it`} (${label[0].toLowerCase()})`}
      onClick={() => void errors.toggleStatus(status)}
    >
      {isSet ? `Not ${status}` : label}
    </button>
  );
}

/** Which of the kept events is shown, and the way to the others. */
function EventBar({ errors }: { errors: ErrorsState }) {
  const { value: event } = errors.event;
  if (!event) return null;
  const { position, of, previous, next, received_at, cut } = event;
  return (
    <div class="event-bar">
      <span class="event-position">
        Event {position} of {of} kept, <RelativeTime ms={Date.parse(received_at)} />
        {cut > 0 && <em class="event-cut"> · {formatCount(cut, 'value')} cut short</em>}
      </span>
      <button type="button" disabled={previous === null} onClick={() => void errors.showEvent('oldest')}>
        Oldest
      </button>
      <button
        type="button"
        disabled={previous === null}
        title="Older event (p)"
        onClick={() => void errors.showNeighbor('previous')}
      >
        Older
      </button>
      <button
        type="button"
        disabled={next === null}
        title="Newer event (n)"
        onClick={() => void errors.showNeighbor('next')}
      >
        Newer
      </button>
      <button type="button" disabled={next === null} onClick={() => void errors.showEvent('latest')}>
        Latest
      </button>
    </div>
  );
}
