import { formatCount } from '../../../common/text/format-numbers.ts';

const HEIGHT = 24;

/** Events by hour as bars, the current hour last. */
export function HourChart({ hours, label }: { hours: readonly number[]; label: string }) {
  const highest = Math.max(1, ...hours);
  const total = hours.reduce((sum, count) => sum + count, 0);
  let path = '';
  hours.forEach((count, i) => {
    if (count === 0) return;
    // The least there is can be seen.
    const height = Math.max(2, (count / highest) * HEIGHT);
    path += `M${i + 0.12} ${HEIGHT}v${(-height).toFixed(2)}h0.76V${HEIGHT}z`;
  });
  const title = `${formatCount(total, 'event')} ${label}, up to ${highest} an hour`;
  return (
    <svg class="hour-chart" viewBox={`0 0 ${hours.length} ${HEIGHT}`} preserveAspectRatio="none" role="img">
      <title>{title}</title>
      <path class="base" d={`M0 ${HEIGHT}h${hours.length}`} />
      <path class="bars" d={path} />
    </svg>
  );
}
