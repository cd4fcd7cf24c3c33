import { useEffect, useState } from 'preact/hooks';
import { formatBytes, formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import type { PageState } from '../page-state.ts';
import type { DrainJson, DynoJson, LogLimitsJson } from '../stream/api-client.ts';
import { splitNames } from '../stream/filters.ts';
import { serverNowMs } from '../stream/server-clock.ts';
import { dynoColor } from '../text/dyno-color.ts';
import { formatDurationMs, withoutUrlSecrets } from '../text/format.ts';
import { visibleText } from '../text/visible-text.ts';
import { Icon } from './icon.tsx';
import { ThemeButton } from './theme-button.tsx';

/** Beside the lines: the dynos and the drains of the app, and what its log holds. */
export function Panel({ page }: { page: PageState }) {
  const [now, tick] = useState(serverNowMs());
  useEffect(() => {
    const timer = setInterval(() => tick(serverNowMs()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const { app } = page.viewLocation.value;
  const url = page.apps.value?.find(({ name }) => name === app)?.web_url;
  return (
    <aside class="panel" aria-label="Dynos and drains">
      <header>
        <h2>Dynos</h2>
        {url && page.dynos.value.some(({ type }) => type === 'web') && (
          <a href={url} target="_blank" rel="noreferrer">
            open <Icon name="open" />
          </a>
        )}
      </header>
      {page.dynos.value.length === 0 ? (
        <p class="empty">
          {page.showsAllApps ? 'Choose an app to see its dynos.' : 'No dynos on this server.'}
        </p>
      ) : (
        <ul>
          {page.dynos.value.map((dyno) => (
            <Dyno key={dyno.name} dyno={dyno} now={now} page={page} />
          ))}
        </ul>
      )}
      <header>
        <h2>Drains</h2>
      </header>
      {page.showsAllApps ? (
        <p class="empty">Choose an app to see its drains.</p>
      ) : page.drains.value.length === 0 ? (
        <p class="empty">
          No drains. Add one: <code>tailrace drains:add URL</code>
        </p>
      ) : (
        <ul>
          {page.drains.value.map((drain) => (
            <Drain key={drain.id} drain={drain} now={now} />
          ))}
        </ul>
      )}
      {page.logLimits.value && <LogSize limits={page.logLimits.value} />}
      <NarrowControls page={page} />
    </aside>
  );
}

/** Where the toolbar has no room for them, on a phone. */
function NarrowControls({ page }: { page: PageState }) {
  const { wrap, theme } = page.preferences;
  return (
    <div class="narrow-only">
      <button
        type="button"
        class="session-button"
        aria-pressed={wrap.value}
        onClick={() => {
          wrap.value = !wrap.value;
        }}
      >
        {wrap.value ? 'Long lines are wrapped' : 'Long lines are not wrapped'}
      </button>
      <ThemeButton theme={theme} />
    </div>
  );
}

function LogSize({ limits }: { limits: LogLimitsJson }) {
  const { held, own } = limits;
  return (
    <>
      <header>
        <h2>Log</h2>
      </header>
      <div class="log-size">
        <p>
          {formatCount(held.lines, 'line')}, {formatBytes(held.bytes)}
          {held.stored_bytes !== null && `; takes ${formatBytes(held.stored_bytes)}`}
        </p>
        <p>
          keeps {formatDurationMs(limits.age_s * 1_000)}, {formatBytes(limits.bytes)},{' '}
          {formatCount(limits.lines, 'line')}
          {Object.values(own).includes(true) && ' (this app’s own limits)'}
        </p>
      </div>
    </>
  );
}

function Dyno({ dyno, now, page }: { dyno: DynoJson; now: number; page: PageState }) {
  const chosen = splitNames(page.viewLocation.value.filters.dyno);
  const isChosen = chosen.includes(dyno.name);
  const [name, command] = [visibleText(dyno.name), visibleText(dyno.command)];
  return (
    <li>
      <button
        type="button"
        class={`dyno dyno-${dynoColor('app', dyno.name)}`}
        aria-pressed={isChosen}
        title={isChosen ? `Not ${name} alone any more` : `Show only ${name}; with Ctrl or Shift, it too`}
        onClick={({ ctrlKey, metaKey, shiftKey }) => {
          const others = chosen.filter((one) => one !== dyno.name);
          const isAdded = ctrlKey || metaKey || shiftKey;
          const next = isChosen ? others : [...(isAdded ? others : []), dyno.name];
          void page.changeFilters({ dyno: next.join() });
        }}
      >
        <i class="dot" data-state={dyno.state} />
        <b>{name}</b>
        <span>
          {dyno.state} {formatDurationMs(now - Date.parse(dyno.updated_at))}
        </span>
        <code title={command}>{command}</code>
      </button>
    </li>
  );
}

function Drain({ drain, now }: { drain: DrainJson; now: number }) {
  const { state, delivered, lost, lagLines, lagMs, lastError, nextAttemptAt } = drain.delivery;
  const url = visibleText(withoutUrlSecrets(drain.url));
  const wait = nextAttemptAt ? Date.parse(nextAttemptAt) - now : 0;
  return (
    <li class="drain" data-state={state}>
      <b title={url}>{url.replace(/^(\w[\w+]*):\/\//, '').replace(/\/$/, '')}</b>
      <i class="scheme">{url.split(':')[0]}</i>
      <span class="dot" data-state={state} />
      <p>
        {state},{' '}
        {lagLines > 0 ? `${formatCount(lagLines, 'line')} (${formatDurationMs(lagMs)}) behind` : 'up to date'}
      </p>
      <p>
        {formatNumber(delivered)} delivered{lost > 0 && <em>, {formatNumber(lost)} lost</em>}
      </p>
      {drain.addon && <p>of {visibleText(drain.addon.name)}</p>}
      {lastError && state !== 'idle' && state !== 'delivering' && (
        <p class="error-text">
          {visibleText(lastError)}
          {wait > 0 && `; again in ${formatDurationMs(Math.ceil(wait / 1_000) * 1_000)}`}
        </p>
      )}
    </li>
  );
}
