import type { PageState } from '../../page-state.ts';
import { visibleText } from '../../text/visible-text.ts';

/** Who is signed in, and how to leave; in a tab with a key: how this browser is remembered. */
export function SessionMenu({ page }: { page: PageState }) {
  const session = page.session.current.value;
  if (!session)
    return (
      <button
        type="button"
        class="session-button"
        title="Bookmarks and links just open from now on, without the key"
        onClick={() => void page.rememberBrowser()}
      >
        Remember
      </button>
    );
  const who = session.user?.email ?? 'an API key';
  return (
    <button
      type="button"
      class="session-button"
      title={`Signed in as ${visibleText(who)}`}
      onClick={() => void page.signOut()}
    >
      Log out
    </button>
  );
}
