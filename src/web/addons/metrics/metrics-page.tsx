import type { Signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { formatNumber } from '../../../common/text/format-numbers.ts';
import { formatDurationMs } from '../../text/format.ts';
import type { Theme } from '../../theme.ts';
import { Modal } from '../../view/modal.tsx';
import { KeyList } from '../../view/shortcuts-help.tsx';
import { listenToKeys } from '../shared/keyboard.ts';
import { PageFrame } from '../shared/page-frame.tsx';
import { type MetricsState, RANGES } from './metrics-state.ts';
import { Plot } from './plot.tsx';
import { figuresOf, formatValue, type MetricsReport } from './report.ts';
import { RouteTable } from './route-table.tsx';

const KEYS: readonly (readonly [string, string])[] = [
  ['1  2  3  4  5', `the last ${RANGES.join(', ')}`],
  ['esc', 'close, or back to the last hour'],
  ['?', 'this'],
];

/** The page of the add-on for app performance, with its keys: 1, 2, 3 … choose a range, Escape goes back to the first. */
export function MetricsPage({ state, theme }: { state: MetricsState; theme: Signal<Theme> }) {
  const [isHelpOpen, showHelp] = useState(false);
  useState(() =>
    listenToKeys(
      {
        ...Object.fromEntries(RANGES.map((last, i) => [String(i + 1), () => state.show({ last })])),
        Escape: () => state.show({ last: RANGES[0] }),
        '?': () => showHelp(true),
      },
      () => document.querySelector('dialog[open]') !== null,
    ),
  );
  const report = state.report.value;
  return (
    <PageFrame
      title="App performance"
      addon={report?.addon ?? ''}
      theme={theme}
      live={state.live.value}
      buttons={<RangeButtons state={state} />}
      onHelp={() => showHelp(true)}
      status={report && <span>one point is {formatDurationMs(report.stepMs)}</span>}
      hints="draw a range in a plot to zoom in"
    >
      <div class="metrics">{report && <Report report={report} state={state} theme={theme} />}</div>
      {isHelpOpen && (
        <Modal title="Keys" onClose={() => showHelp(false)}>
          <KeyList keys={KEYS} />
        </Modal>
      )}
    </PageFrame>
  );
}

function RangeButtons({ state }: { state: MetricsState }) {
  const range = state.range.value;
  return (
    <fieldset class="ranges" aria-label="Range of time">
      {RANGES.map((last) => (
        <button
          key={last}
          type="button"
          aria-pressed={'last' in range && range.last === last}
          onClick={() => state.show({ last })}
        >
          {last}
        </button>
      ))}
    </fieldset>
  );
}

function Report({
  report,
  state,
  theme,
}: {
  report: MetricsReport;
  state: MetricsState;
  theme: Signal<Theme>;
}) {
  const { routes, times } = report;
  const figures = figuresOf(report);
  const range = state.range.value;
  if (figures.every(({ curves }) => curves.every(({ values }) => values.every((value) => value === null))))
    return (
      <div class="no-figures">
        <h2>No figures {'last' in range ? `in the last ${range.last}` : 'in this range'}</h2>
        <p>
          They come from the app's lines: each request that the HTTP router answers, memory and load of dynos,
          and what the app writes as <code>measure#db=12ms</code>, <code>count#signups=1</code> or{' '}
          <code>sample#queue=40</code>.
        </p>
      </div>
    );
  return (
    <>
      <Totals report={report} />
      <section class="plots" aria-label="Plots">
        {figures.map((figure) => (
          <Plot
            key={figure.title}
            figure={figure}
            times={times}
            theme={theme}
            onZoom={(from, to) => state.show({ from, to })}
          />
        ))}
      </section>
      {routes.length > 0 && <RouteTable routes={routes} />}
    </>
  );
}

function Totals({ report: { totals, times, stepMs, routes } }: { report: MetricsReport }) {
  const minutes = (times.length * stepMs) / 60_000;
  const slowest = routes.reduce((most, { p95 }) => Math.max(most, p95 ?? 0), 0);
  const rows: readonly (readonly [string, string])[] = [
    ['requests', formatNumber(totals.requests)],
    ['requests/min', formatValue(totals.requests / minutes)],
    [
      'answered with 5xx',
      totals.requests > 0 ? `${formatValue((totals.errors / totals.requests) * 100)} %` : '–',
    ],
    ['p95 of the slowest route', slowest > 0 ? `${formatValue(slowest)} ms` : '–'],
    ['lines', formatNumber(totals.lines)],
  ];
  return (
    <dl class="totals">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
