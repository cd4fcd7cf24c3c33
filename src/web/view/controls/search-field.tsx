import { useEffect, useRef } from 'preact/hooks';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../icon.tsx';

/** How long somebody has to stop typing before it is searched. */
const DEBOUNCE_MS = 250;

export interface SearchFieldProps {
  readonly value: string;
  readonly label: string;
  readonly placeholder: string;
  /** Milliseconds; see {@link DEBOUNCE_MS}. */
  readonly debounceMs?: number;
  /** What is wrong with it: one sentence, or ''. */
  readonly fault?: string;
  /** Is called with the text that stands there, also when it is the one that was searched already. */
  readonly onSearch: (text: string) => void;
}

/** The search of a page's toolbar; `/` leads to it, as everywhere. */
export function SearchField(props: SearchFieldProps) {
  const { value, label, placeholder, debounceMs = DEBOUNCE_MS, fault = '', onSearch } = props;
  const box = useRef<HTMLInputElement>(null);
  const timer = useRef<number>(0);
  useEffect(() => {
    // What somebody is typing isn't taken from under their hands.
    if (box.current && box.current !== document.activeElement) box.current.value = value;
  }, [value]);
  const search = (): void => {
    clearTimeout(timer.current);
    onSearch(box.current?.value.trim() ?? '');
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
        aria-invalid={fault !== ''}
        aria-describedby={fault === '' ? undefined : 'search-fault'}
        defaultValue={value}
        onInput={() => {
          clearTimeout(timer.current);
          timer.current = setTimeout(search, debounceMs);
        }}
      />
      <kbd>/</kbd>
      {fault !== '' && <FieldFaultText id="search-fault" text={fault} />}
    </form>
  );
}

/** What is wrong with a field, below it; the field has it as its description. */
export function FieldFaultText({ id, text }: { id: string; text: string }) {
  return (
    <p id={id} class="field-fault" role="alert">
      {visibleText(text)}
    </p>
  );
}
