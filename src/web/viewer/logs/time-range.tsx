import { useState } from 'preact/hooks';
import { explainTime, parseTime } from '../../../common/time-expression.ts';
import { serverNowMs } from '../../stream/server-clock.ts';
import { formatDate, formatTimeOfDay, localDayNumber } from '../../text/format.ts';
import { Icon } from '../../view/icon.tsx';
import { Modal } from '../../view/modal.tsx';
import type { ViewerPage } from '../viewer-page.ts';

const RANGES: readonly (readonly [string, string])[] = [
  ['', 'any time'],
  ['15m', 'last 15 minutes'],
  ['1h', 'last hour'],
  ['6h', 'last 6 hours'],
  ['1d', 'last day'],
  ['7d', 'last 7 days'],
  ['30d', 'last 30 days'],
];
const OWN = 'own';

/** Of what time the lines are. */
export function TimeRangeSelect({ page }: { page: ViewerPage }) {
  const { from, to } = page.selection;
  const preset = to === '' && RANGES.some(([value]) => value === from) ? from : OWN;
  return (
    <div class="time-range">
      <label class="filter-select" data-set={from !== '' || to !== ''}>
        <Icon name="clock" />
        <select
          aria-label="Time"
          value={preset}
          onChange={(event) => {
            const { value } = event.currentTarget;
            if (value === OWN) page.overlay.value = 'time';
            else void page.changeSelection({ from: value, to: '' });
          }}
        >
          {RANGES.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
          <option value={OWN}>{preset === OWN ? rangeLabel(from, to) : 'from … to …'}</option>
        </select>
      </label>
      {(from !== '' || to !== '') && (
        <button
          type="button"
          class="clear-filters"
          aria-label="Any time"
          title="Any time"
          onClick={() => void page.changeSelection({ from: '', to: '' })}
        >
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}

/** Asks from when to when, or for a time to go to. */
export function TimeRangeDialog({ page }: { page: ViewerPage }) {
  const [from, setFrom] = useState(page.selection.from);
  const [to, setTo] = useState(page.selection.to);
  const now = serverNowMs();
  const fromMs = parseTime(from, now);
  const toMs = parseTime(to, now);
  const isWrong = (from !== '' && fromMs === undefined) || (to !== '' && toMs === undefined);
  return (
    <Modal title="Time" onClose={() => close(page)}>
      <form
        class="time-form"
        onSubmit={(event) => {
          event.preventDefault();
          close(page);
          void page.changeSelection({ from: absolute(from, fromMs), to: absolute(to, toMs) });
        }}
      >
        <TimeField label="from" value={from} ms={fromMs} onInput={setFrom} />
        <TimeField label="to" value={to} ms={toMs} onInput={setTo} />
        <div class="form-buttons">
          <button
            type="button"
            class="plain-button"
            disabled={fromMs === undefined}
            onClick={() => {
              if (fromMs === undefined) return;
              close(page);
              void page.jumpToTime(fromMs);
            }}
          >
            Go to the first
          </button>
          <button type="submit" disabled={isWrong}>
            Show this range
          </button>
        </div>
      </form>
    </Modal>
  );
}

interface TimeFieldProps {
  readonly label: string;
  readonly value: string;
  readonly ms: number | undefined;
  readonly onInput: (text: string) => void;
}

function TimeField({ label, value, ms, onInput }: TimeFieldProps) {
  return (
    <label>
      <span>{label}</span>
      <input
        name={label}
        autocomplete="off"
        placeholder="1h   14:05   2026-11-21 14:05"
        defaultValue={value}
        onInput={(event) => onInput(event.currentTarget.value.trim())}
      />
      <small class="hint">
        {ms !== undefined ? `${formatDate(ms)}, ${formatTimeOfDay(ms)}` : value ? explainTime(value) : ''}
      </small>
    </label>
  );
}

/** A time of day or a date is meant now; how long ago something is, each time that it is looked at. */
function absolute(text: string, ms: number | undefined): string {
  return ms === undefined || /^\d+(?:\.\d+)?\s*[a-z]+$/i.test(text) ? text : new Date(ms).toISOString();
}

function close(page: ViewerPage): void {
  page.overlay.value = '';
}

function rangeLabel(from: string, to: string): string {
  const now = serverNowMs();
  const [fromMs, toMs] = [from ? parseTime(from, now) : undefined, to ? parseTime(to, now) : undefined];
  const write = (ms: number | undefined, text: string): string =>
    ms === undefined
      ? text || '…'
      : `${localDayNumber(ms) === localDayNumber(now) ? '' : `${new Date(ms).toLocaleDateString('en', { day: 'numeric', month: 'short' })} `}${formatTimeOfDay(ms)}`;
  return `${write(fromMs, from)} – ${write(toMs, to)}`;
}
