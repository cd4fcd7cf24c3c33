import type { Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { Theme } from '../../theme.ts';
import { formatValue, type PlottedFigure } from './report.ts';

const HEIGHT = 180;
const SYNC_KEY = 'metrics';
const DAY_FORMAT = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' });

export interface PlotProps {
  readonly figure: PlottedFigure;
  /** Milliseconds. */
  readonly times: readonly number[];
  readonly theme: Signal<Theme>;
  /** A range was drawn with the pointer. */
  readonly onZoom: (fromMs: number, toMs: number) => void;
}

/** Curves over time; drawing a range zooms into it. */
export function Plot({ figure, times, theme, onZoom }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data: uPlot.AlignedData = [
    times.map((ms) => ms / 1_000),
    ...figure.curves.map(({ values }) => values as (number | null)[]),
  ];
  const labels = figure.curves.map(({ label, color }) => `${label} ${color}`).join();
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    plot.current = new uPlot(optionsOf(figure, element, onZoom), data, element);
    const observer = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [labels, theme.value]);
  useEffect(() => plot.current?.setData(data), [times, figure]);
  return (
    <figure class="plot">
      <figcaption>
        {figure.title} {figure.unit && <small>{figure.unit}</small>}
      </figcaption>
      <div ref={place} class="plot-canvas" />
    </figure>
  );
}

function optionsOf(
  { title, curves }: PlottedFigure,
  element: HTMLElement,
  onZoom: PlotProps['onZoom'],
): uPlot.Options {
  const axis = {
    stroke: colorOf(element, 'axis'),
    grid: { stroke: colorOf(element, 'grid'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 30, values: (_plot, ticks) => timeLabels(ticks) },
      { ...axis, size: 48, values: (_plot, ticks) => ticks.map(formatValue) },
    ],
    series: [
      { value: '{YYYY}-{MM}-{DD} {HH}:{mm}' },
      ...curves.map(({ label, color }) => ({
        label,
        stroke: colorOf(element, color),
        width: 1.5,
        points: { size: 4, filter: lonePoints },
        value: (_plot: uPlot, value: number | null) => formatValue(value),
      })),
    ],
    cursor: { sync: { key: SYNC_KEY }, drag: { x: true, y: false, setScale: false } },
    legend: { live: true },
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          const [from, to] = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')];
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onZoom(from * 1_000, to * 1_000);
        },
      ],
      ready: [
        (plot) => {
          plot.ctx.canvas.setAttribute('role', 'img');
          plot.ctx.canvas.setAttribute(
            'aria-label',
            `${title}: ${curves.map(({ label }) => label).join(', ')}`,
          );
        },
      ],
    },
  };
}

/** Points without neighbors, which no line shows. */
function lonePoints(plot: uPlot, series: number): number[] {
  const values = plot.data[series];
  const isThere = (i: number): boolean => values[i] !== null && values[i] !== undefined;
  return [...values.keys()].filter((i) => isThere(i) && !isThere(i - 1) && !isThere(i + 1));
}

/** `14:05`; the day where one begins. @param ticks seconds */
function timeLabels(ticks: readonly number[]): string[] {
  return ticks.map((seconds) => {
    const date = new Date(seconds * 1_000);
    const clock = [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, '0')).join(':');
    return clock === '00:00' ? DAY_FORMAT.format(date) : clock;
  });
}

/** The color that a class gives: a canvas doesn't know custom properties. */
function colorOf(element: HTMLElement, name: string): string {
  const sample = document.createElement('span');
  sample.className = `curve ${name}`;
  element.append(sample);
  const { color } = getComputedStyle(sample);
  sample.remove();
  return color;
}
