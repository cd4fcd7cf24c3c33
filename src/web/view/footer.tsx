import { formatCount } from '../../common/text/format-numbers.ts';
import type { PageState } from '../page-state.ts';
import type { LogView } from '../stream/log-view.ts';
import { FollowButton } from './controls/follow-button.tsx';
import { SessionMenu } from './session/session-menu.tsx';

const STATE_LABELS = {
  live: 'live',
  past: 'the past',
  connecting: 'connecting',
  unreachable: 'server unreachable',
  refused: 'refused',
  none: 'no app',
} as const;

/** What the connection is doing: `connecting` only while one is being made. */
function connectionState(page: PageState, logView: LogView | undefined): keyof typeof STATE_LABELS {
  if (page.unreachable.value) return 'unreachable';
  if (!logView) return page.apps.value?.length === 0 ? 'none' : 'connecting';
  if (!logView.opened && logView.error.value !== '')
    return logView.unanswered.value ? 'unreachable' : 'refused';
  return logView.tailState.value.name;
}

/** The status bar: the connection, how many lines are here, the most needed keys, and who is signed in. */
export function Footer({ page }: { page: PageState }) {
  const logView = page.logView.value;
  const state = connectionState(page, logView);
  void logView?.version.value;
  return (
    <footer class="footer">
      <span class="state" data-state={state}>
        <i />
        {STATE_LABELS[state]}
      </span>
      {logView && <span>{formatCount(logView.lineCount, 'line')} here</span>}
      {logView && <FollowButton feed={logView} onFollow={() => void page.follow()} />}
      <span class="hints">
        <kbd>/</kbd> search <kbd>space</kbd> pause <kbd>j</kbd>
        <kbd>k</kbd> move <kbd>?</kbd> keys
      </span>
      <SessionMenu page={page} />
    </footer>
  );
}
