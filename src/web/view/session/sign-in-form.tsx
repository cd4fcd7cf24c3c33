import { useEffect, useRef, useState } from 'preact/hooks';
import type { PageState } from '../../page-state.ts';
import { visibleText } from '../../text/visible-text.ts';
import { Logo } from '../icon.tsx';
import { AccountForm, RememberBox } from './account-form.tsx';

/** Asks who one is: an address and a password where there are people, else an API key; with an invitation, for a password of one's own. */
export function SignInPage({ page }: { page: PageState }) {
  const [choice, setChoice] = useState<'key' | 'account' | undefined>(undefined);
  const provider = page.session.provider.value;
  const asksForKey =
    choice === undefined ? !page.session.hasPeople.value && provider === null : choice === 'key';
  const invitation = page.session.invitation.value;
  if (invitation !== '')
    return (
      <AccountForm
        title="You are invited"
        button="Join"
        asksToRemember
        send={(email, password, remember) => page.accept({ token: invitation, email, password, remember })}
      >
        <p>Choose a password, and read along. The link that brought you here works once.</p>
      </AccountForm>
    );
  if (asksForKey) return <ApiKeyForm page={page} onAccount={() => setChoice('account')} />;
  return (
    <AccountForm
      title="Sign in"
      button="Sign in"
      hasAccount
      asksToRemember
      send={(email, password, remember) => page.signInWithPassword({ email, password, remember })}
      other={
        provider && {
          label: `Sign in with ${provider.name}`,
          go: (isRemembered) => location.assign(page.session.providerUrl(isRemembered)),
        }
      }
      footer={
        <button type="button" class="link-button" onClick={() => setChoice('key')}>
          I have an API key
        </button>
      }
    >
      <p>Lines may hold secrets: they are shown to those who have an account.</p>
    </AccountForm>
  );
}

/** Asks for the API key, and explains how to get it. */
function ApiKeyForm({ page, onAccount }: { page: PageState; onAccount: () => void }) {
  const box = useRef<HTMLInputElement>(null);
  const remember = useRef<HTMLInputElement>(null);
  useEffect(() => box.current?.focus(), []);
  return (
    <main class="key-page">
      <form
        class="key-form"
        onSubmit={(event) => {
          event.preventDefault();
          const key = box.current?.value.trim() ?? '';
          if (key) void page.signIn(key, remember.current?.checked);
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
        <RememberBox box={remember} />
        {page.keyError.value && <p class="error-text">{visibleText(page.keyError.value)}</p>}
        <button type="submit">Open the logs</button>
        <button type="button" class="link-button" onClick={onAccount}>
          I have an account
        </button>
        <p class="hint">
          Or let <code>tailrace open --logs</code> bring you here with it.
        </p>
      </form>
    </main>
  );
}
