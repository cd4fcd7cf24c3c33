import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { visibleText } from '../../text/visible-text.ts';
import type { Theme } from '../../theme.ts';
import { Icon, Logo } from '../../view/icon.tsx';
import { ThemeButton } from '../../view/theme-button.tsx';
import type { LiveState } from './live-events.ts';

const STATE_LABELS: Record<LiveState['name'], string> = {
  live: 'live',
  connecting: 'connecting',
  unreachable: 'server unreachable',
  refused: 'refused',
};

export interface PageFrameProps {
  /** `Mail` */
  readonly title: string;
  /** The add-on's name. */
  readonly addon: string;
  readonly theme: Signal<Theme>;
  readonly live: LiveState;
  /** What else went wrong, or ''. */
  readonly error?: string;
  /** Beside the title: a search. */
  readonly search?: ComponentChildren;
  /** Before the buttons of every page. */
  readonly buttons?: ComponentChildren;
  readonly onHelp: () => void;
  /** Of the status bar: how much there is, and the most needed keys. */
  readonly status?: ComponentChildren;
  readonly hints?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** What all pages of add-ons have: a bar on top, what is wrong, the content, a status bar. Looks like the live page. */
export function PageFrame(props: PageFrameProps) {
  const { title, addon, theme, live, search, buttons, onHelp, status, hints, children } = props;
  const error = 'message' in live ? live.message : props.error;
  return (
    <div class="page addon-page">
      <header class="toolbar">
        <div class="brand">
          <Logo />
          <h1>
            {title} <small>{visibleText(addon)}</small>
          </h1>
        </div>
        {search}
        <div class="toolbar-buttons">
          {buttons}
          <ThemeButton theme={theme} />
          <button
            type="button"
            class="toolbar-button help-button"
            title="Keys (?)"
            aria-label="Keys"
            onClick={onHelp}
          >
            <Icon name="help" />
          </button>
        </div>
      </header>
      {error ? (
        <div class="error-banner" role="alert">
          <p>{visibleText(error)}</p>
        </div>
      ) : (
        <span />
      )}
      <main class="content">{children}</main>
      <footer class="footer">
        <span class="state" data-state={live.name}>
          <i />
          {STATE_LABELS[live.name]}
        </span>
        {status}
        <span class="hints">{hints}</span>
      </footer>
    </div>
  );
}
