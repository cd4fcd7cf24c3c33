import { useEffect, useRef } from 'preact/hooks';
import type { PageState } from '../page-state.ts';
import { visibleText } from '../text/visible-text.ts';
import { Logo } from './icon.tsx';

/** Asks for the API key, and explains how to get it. */
export function ApiKeyForm({ page }: { page: PageState }) {
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => box.current?.focus(), []);
  return (
    <main class="key-page">
      <form
        class="key-form"
        onSubmit={(event) => {
          event.preventDefault();
          const key = box.current?.value.trim() ?? '';
          if (key) void page.signIn(key);
        }}
      >
        <Logo />
        <h1>API key required</h1>
        <p>
          Lines may hold secrets, so this server shows them only to somebody with an API key. In a terminal:
        </p>
        <pre>
          <b>$</b> tailrace auth:token
        </pre>
        <label>
          <span>API key</span>
          <input
            ref={box}
            type="password"
            name="key"
            autocomplete="off"
            spellcheck={false}
            required
            placeholder="k.…"
          />
        </label>
        {page.keyError.value && <p class="error-text">{visibleText(page.keyError.value)}</p>}
        <button type="submit">Open the logs</button>
        <p class="hint">
          Or let <code>tailrace open --logs</code> bring you here with it.
        </p>
      </form>
    </main>
  );
}
