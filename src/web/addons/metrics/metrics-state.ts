/** Which range is looked at, and what the service says of it. */
import { signal } from '@preact/signals';
import type { LiveState } from '../shared/live-events.ts';
import { getFromService, ServiceError } from '../shared/service-client.ts';
import type { MetricsReport } from './report.ts';

/** Ranges up to now, as the service reads them. */
export const RANGES = ['1h', '6h', '24h', '7d', '31d'] as const;
const REFRESH_MS = 10_000;

export type Range =
  | { readonly last: string }
  /** Chosen in a plot, milliseconds. */
  | { readonly from: number; readonly to: number };

export class MetricsState {
  readonly range = signal<Range>(rangeOfAddress());
  readonly report = signal<MetricsReport | undefined>(undefined);
  readonly live = signal<LiveState>({ name: 'connecting' });
  private latest = 0;

  /** Reads the figures, and again while the page is seen and shows the present; once for the page's life. */
  start(): void {
    void this.refresh();
    setInterval(() => {
      if (document.visibilityState === 'visible' && 'last' in this.range.value) void this.refresh();
    }, REFRESH_MS);
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.refresh();
    });
    addEventListener('hashchange', () => {
      this.range.value = rangeOfAddress();
      void this.refresh();
    });
  }

  /** The address keeps it, so that it can be shared and gone back from. */
  show(range: Range): void {
    location.hash = 'last' in range ? range.last : `${Math.round(range.from)}-${Math.round(range.to)}`;
  }

  private async refresh(): Promise<void> {
    const request = ++this.latest;
    const range = this.range.value;
    const query = 'last' in range ? `from=${range.last}` : `from=${range.from}&to=${range.to}`;
    try {
      const report = await getFromService<MetricsReport>(`api/report?${query}`);
      if (request !== this.latest) return;
      this.report.value = report;
      this.live.value = { name: 'live' };
    } catch (error) {
      if (request !== this.latest) return;
      const { status, message } = error instanceof ServiceError ? error : new ServiceError(0, String(error));
      this.live.value = { name: status === 401 || status === 404 ? 'refused' : 'unreachable', message };
    }
  }
}

function rangeOfAddress(): Range {
  const hash = location.hash.slice(1);
  const times = /^(\d{13})-(\d{13})$/.exec(hash);
  if (times) return { from: Number(times[1]), to: Number(times[2]) };
  return { last: /^\d{1,3}[mhd]$/.test(hash) ? hash : RANGES[0] };
}
