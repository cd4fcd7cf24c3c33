import { useEffect } from 'preact/hooks';
import type { Page } from '../page.ts';
import { Bar } from './bar.tsx';
import { Footer } from './footer.tsx';
import { Gauge } from './gauge.tsx';
import { Help } from './help.tsx';
import { KeyForm } from './key-form.tsx';
import { listenToKeys } from './keyboard.ts';
import { Lines } from './list/lines.tsx';
import { NoApps } from './nothing.tsx';
import { Panel } from './panel.tsx';
import { TimeForm } from './time-form.tsx';
import { Trouble } from './trouble.tsx';

/** The whole page. */
export function Root({ page }: { page: Page }) {
  useEffect(() => listenToKeys(page), [page]);
  if (page.key.value === '') return <KeyForm page={page} />;
  const reading = page.reading.value;
  const overlay = page.overlay.value;
  return (
    <div class="page">
      <Bar page={page} />
      {reading && <Gauge page={page} reading={reading} />}
      <main class="middle">
        <section class="stream" aria-label="Lines">
          <Trouble page={page} />
          {reading ? <Lines key={reading} page={page} reading={reading} /> : <NoApps page={page} />}
        </section>
        {page.preferences.panel.value && <Panel page={page} />}
      </main>
      <Footer page={page} />
      {overlay === 'help' && <Help page={page} />}
      {overlay === 'time' && <TimeForm page={page} />}
      <output class="notice" data-shown={page.notice.value !== ''}>
        {page.notice.value}
      </output>
    </div>
  );
}
