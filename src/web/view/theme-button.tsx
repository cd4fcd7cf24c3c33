import type { Signal } from '@preact/signals';
import type { Theme } from '../theme.ts';
import { Icon } from './icon.tsx';

const THEMES: Record<Theme, { next: Theme; icon: 'auto' | 'moon' | 'sun'; label: string }> = {
  auto: { next: 'dark', icon: 'auto', label: 'Colors: as the system has them' },
  dark: { next: 'light', icon: 'moon', label: 'Colors: dark' },
  light: { next: 'auto', icon: 'sun', label: 'Colors: light' },
};

/** Goes from one choice of colors to the next. @param name a class beside those of every button */
export function ThemeButton({ theme, name }: { theme: Signal<Theme>; name?: string }) {
  const { next, icon, label } = THEMES[theme.value];
  return (
    <button
      type="button"
      class={name ? `toolbar-button ${name}` : 'toolbar-button'}
      title={label}
      aria-label={label}
      onClick={() => {
        theme.value = next;
      }}
    >
      <Icon name={icon} />
    </button>
  );
}
