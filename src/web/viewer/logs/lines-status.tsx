import { formatCount } from '../../../common/text/format-numbers.ts';
import { FollowButton } from '../../view/controls/follow-button.tsx';
import type { ViewerFeed } from '../lines/viewer-feed.ts';
import type { ViewerPage } from '../viewer-page.ts';

const STATE_LABELS = {
  live: 'live',
  past: 'the past',
  connecting: 'connecting',
  unreachable: 'server unreachable',
  refused: 'refused',
} as const;

/** The status bar: the connection, how many lines are here, and the most needed keys. */
export function LinesStatus({ page, feed }: { page: ViewerPage; feed: ViewerFeed | undefined }) {
  const state = feed?.tailState.value.name ?? 'connecting';
  void feed?.version.value;
  const isLive = state !== 'past';
  return (
    <footer class="footer">
      <span class="state" data-state={state}>
        <i />
        {STATE_LABELS[state]}
      </span>
      {feed && <span>{formatCount(feed.lineCount, 'line')} here</span>}
      {feed && isLive && <FollowButton feed={feed} onFollow={() => void page.follow()} />}
      <span class="hints">
        <kbd>/</kbd> search <kbd>space</kbd> pause <kbd>x</kbd> context <kbd>?</kbd> keys
      </span>
    </footer>
  );
}
