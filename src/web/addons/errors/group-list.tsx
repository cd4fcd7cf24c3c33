import { formatNumber } from '../../../common/text/format-numbers.ts';
import { visibleText } from '../../text/visible-text.ts';
import { Logo } from '../../view/icon.tsx';
import { RelativeTime } from '../shared/relative-time.tsx';
import type { GroupJson, GroupSortJson, GroupStatusJson } from './errors-json.ts';
import type { ErrorsState } from './errors-state.ts';
import { HourChart } from './hour-chart.tsx';

const STATUSES: readonly (readonly [GroupStatusJson | 'all', string])[] = [
  ['unresolved', 'Unresolved'],
  ['resolved', 'Resolved'],
  ['ignored', 'Ignored'],
  ['all', 'All'],
];
const SORTS: readonly (readonly [GroupSortJson, string])[] = [
  ['last_seen', 'last seen'],
  ['first_seen', 'first seen'],
  ['count', 'events'],
  ['users', 'users'],
];

/** All errors, or those that were searched for. */
export function GroupList({ errors }: { errors: ErrorsState }) {
  const groups = errors.groups.value;
  const { status, sort } = errors.filter.value;
  const counts = errors.summary.value?.groups;
  return (
    <nav class="groups" aria-label="Errors">
      <div class="group-filters">
        <fieldset class="statuses" aria-label="Status">
          {STATUSES.map(([name, label]) => (
            <button
              key={name}
              type="button"
              aria-pressed={status === name}
              onClick={() => errors.changeFilter({ status: name })}
            >
              {label}
              {name !== 'all' && counts && <small>{formatNumber(counts[name])}</small>}
            </button>
          ))}
        </fieldset>
        <label class="filter-select">
          <select
            aria-label="Order"
            value={sort}
            onChange={(event) => errors.changeFilter({ sort: event.currentTarget.value as GroupSortJson })}
          >
            {SORTS.map(([name, label]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </div>
      {groups?.length === 0 ? (
        <NoGroups errors={errors} />
      ) : (
        <ul>
          {groups?.map((group) => (
            <GroupRow key={group.id} group={group} errors={errors} />
          ))}
        </ul>
      )}
      {groups && errors.total.value > groups.length && (
        <p class="hint more-groups">
          {formatNumber(errors.total.value - groups.length)} more: search for them.
        </p>
      )}
    </nav>
  );
}

function GroupRow({ group, errors }: { group: GroupJson; errors: ErrorsState }) {
  const isSelected = errors.selectedId.value === group.id;
  return (
    <li data-selected={isSelected} data-level={group.level} data-status={group.status}>
      <button
        type="button"
        aria-current={isSelected ? 'true' : undefined}
        onClick={() => errors.open(group.id)}
      >
        <span class="group-title">
          <i class="level-dot" role="img" aria-label={group.level} title={group.level} />
          {group.type && <b>{visibleText(group.type)}</b>}
          <span>{visibleText(group.value)}</span>
        </span>
        <span class="group-place">
          {visibleText(group.location)}
          {group.location && group.culprit && ' · '}
          {visibleText(group.culprit)}
        </span>
        <HourChart hours={group.hours} label="in 24 hours" />
        <span class="group-count" title={`${formatNumber(group.count)} events`}>
          {shortCount(group.count)}
        </span>
        <span class="group-users" title={`${formatNumber(group.users)} users`}>
          {group.users > 0 && `${shortCount(group.users)} ${group.users === 1 ? 'user' : 'users'}`}
        </span>
        <RelativeTime ms={Date.parse(group.last_seen)} />
      </button>
    </li>
  );
}

function NoGroups({ errors }: { errors: ErrorsState }) {
  const { query, status } = errors.filter.value;
  const { value: summary } = errors.summary;
  const hasAny = summary && Object.values(summary.groups).some((count) => count > 0);
  return (
    <div class="empty-state">
      <Logo />
      {query ? (
        <>
          <h2>No error matches</h2>
          <button type="button" onClick={() => errors.changeFilter({ query: '', status: 'all' })}>
            Show all errors
          </button>
        </>
      ) : hasAny ? (
        <h2>{status === 'unresolved' ? 'All resolved' : `Nothing ${status}`}</h2>
      ) : (
        <>
          <h2>No errors yet</h2>
          <p>
            Install Sentry's SDK in the app and initialize it: it reads <code>SENTRY_DSN</code> by itself.
          </p>
          <pre>
            <b>$</b> pip install sentry-sdk
          </pre>
        </>
      )}
    </div>
  );
}

/** `999`, `1.2k`, `31k`, `4.5M` */
function shortCount(count: number): string {
  if (count < 1_000) return String(count);
  const [value, unit] = count < 999_500 ? [count / 1e3, 'k'] : [count / 1e6, 'M'];
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}${unit}`;
}
