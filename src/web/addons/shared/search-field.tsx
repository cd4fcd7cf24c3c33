import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../../view/icon.tsx';

/** How long somebody has to stop typing before it is searched. */
const DEBOUNCE_MS = 250;

export interface SearchFieldProps {
  readonly value: string;
  readonly label: string;
  readonly placeholder: string;
  readonly onSearch: (text: string) => void;
}

/** The search of a page's toolbar; `/` leads to it, as everywhere. */
export function SearchField({ value, label, placeholder, onSearch }: SearchFieldProps) {
  const box = useRef<HTMLInputElement>(null);
  const timer = useRef<number>(0);
  useEffect(() => {
    // What somebody is typing isn't taken from under their hands.
    if (box.current && box.current !== document.activeElement) box.current.value = value;
  }, [value]);
  const search = (): void => {
    clearTimeout(timer.current);
    const wanted = box.current?.value.trim() ?? '';
    if (wanted !== value) onSearch(wanted);
  };
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        search();
        box.current?.blur();
      }}
    >
      <Icon name="search" />
      <input
        ref={box}
        id="search"
        type="search"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        enterkeyhint="search"
        aria-label={label}
        placeholder={placeholder}
        defaultValue={value}
        onInput={() => {
          clearTimeout(timer.current);
          timer.current = setTimeout(search, DEBOUNCE_MS);
        }}
      />
      <kbd>/</kbd>
    </form>
  );
}
