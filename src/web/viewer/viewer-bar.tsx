import { visibleText } from '../text/visible-text.ts';
import { Icon, Logo } from '../view/icon.tsx';
import { ThemeButton } from '../view/theme-button.tsx';
import { formatViewerAddress, START_ADDRESS, type ViewerSection } from './viewer-location.ts';
import type { ViewerPage } from './viewer-page.ts';

const SECTIONS: readonly {
  readonly section: ViewerSection;
  readonly label: string;
  readonly ownersOnly?: boolean;
}[] = [
  { section: 'logs', label: 'Logs' },
  { section: 'alerts', label: 'Alerts' },
  { section: 'archives', label: 'Archives' },
  { section: 'streams', label: 'Streams' },
  { section: 'people', label: 'People', ownersOnly: true },
];

/** On top of every page: where one can go, and who one is. */
export function ViewerBar({ page }: { page: ViewerPage }) {
  const session = page.client.session.value;
  const here = page.address.value.section;
  return (
    <header class="viewer-bar">
      <div class="brand">
        <Logo />
        <h1>Tailrace</h1>
      </div>
      <nav aria-label="Pages">
        {session &&
          SECTIONS.filter(
            ({ ownersOnly }) => !ownersOnly || (session.user.role === 'owner' && !session.external),
          ).map(({ section, label }) => (
            <a
              key={section}
              href={formatViewerAddress({ ...START_ADDRESS, section })}
              aria-current={section === here ? 'page' : undefined}
              onClick={(event) => {
                if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
                event.preventDefault();
                void page.goTo(section);
              }}
            >
              {label}
            </a>
          ))}
      </nav>
      <div class="toolbar-buttons">
        <ThemeButton theme={page.preferences.theme} />
        <button
          type="button"
          class="toolbar-button help-button"
          title="Keys (?)"
          aria-label="Keys"
          onClick={() => {
            page.overlay.value = 'help';
          }}
        >
          <Icon name="help" />
        </button>
        {session && !session.external && (
          <>
            <button
              type="button"
              class="account"
              title="Change the password"
              onClick={() => {
                page.overlay.value = 'password';
              }}
            >
              {visibleText(session.user.email)}
            </button>
            <button type="button" class="sign-out" onClick={() => void page.signOut()}>
              Sign out
            </button>
          </>
        )}
      </div>
    </header>
  );
}
