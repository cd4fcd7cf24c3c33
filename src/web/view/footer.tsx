import type { Page } from '../page.ts';
import { count } from '../text/words.ts';
import { Icon } from './icon.tsx';

const STATES = { live: 'live', connecting: 'connecting', away: 'server away', refused: 'refused' } as const;

/** The bottom line: the connection, what is held, and the keys one needs first. */
export function Footer({ page }: { page: Page }) {
  const reading = page.reading.value;
  const state = page.away.value ? 'away' : (reading?.tailState.value.name ?? 'connecting');
  void reading?.version.value;
  return (
    <footer class="footer">
      <span class="state" data-state={state}>
        <i />
        {STATES[state]}
      </span>
      {reading && <span>{count(reading.window.lines.length, 'line')} here</span>}
      {reading && (
        <button
          type="button"
          class="follow"
          aria-pressed={!reading.following.value}
          title="Pause, and go on (space)"
          onClick={() => {
            if (reading.following.value) reading.hold();
            else void page.follow();
          }}
        >
          <Icon name={reading.following.value ? 'pause' : 'play'} />
          {reading.following.value ? 'following' : 'paused'}
        </button>
      )}
      <span class="hints">
        <kbd>/</kbd> search <kbd>space</kbd> pause <kbd>j</kbd>
        <kbd>k</kbd> move <kbd>?</kbd> keys
      </span>
    </footer>
  );
}
