import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { FormError } from '../../view/controls/form-error.tsx';
import { Logo } from '../../view/icon.tsx';
import type { SessionJson } from '../api/viewer-json.ts';
import type { Admission } from '../viewer-location.ts';
import type { ViewerPage } from '../viewer-page.ts';

/** As the server has it. */
export const PASSWORD_LENGTH_MIN = 8;

/** Asks who one is. */
export function SignInForm({ page }: { page: ViewerPage }) {
  if (page.isNew.value)
    return (
      <main class="key-page">
        <div class="key-form">
          <Logo />
          <h1>Nobody is known here yet</h1>
          <p>The viewer has printed a link when it started. It makes whoever opens it the owner, once.</p>
        </div>
      </main>
    );
  return (
    <AccountForm
      page={page}
      title="Sign in"
      button="Sign in"
      hasAccount
      send={(email, password) => page.client.change<SessionJson>('POST', 'api/session', { email, password })}
    >
      <p>These lines may hold secrets: they are shown to those who have an account.</p>
    </AccountForm>
  );
}

/** The first visit, which makes the owner's account; or an invitation's, which makes one more. */
export function AdmissionForm({ page, admission }: { page: ViewerPage; admission: Admission }) {
  const { kind, token } = admission;
  const isFirst = kind === 'first-run';
  return (
    <AccountForm
      page={page}
      title={isFirst ? 'Welcome' : 'You are invited'}
      button={isFirst ? 'Make my account' : 'Join'}
      send={(email, password) =>
        page.client.change<SessionJson>('POST', isFirst ? 'api/first-run' : 'api/invites/accept', {
          token,
          email,
          password,
        })
      }
    >
      <p>
        {isFirst
          ? 'Make the owner’s account of this viewer. The link that brought you here works once.'
          : 'Choose a password, and read along.'}
      </p>
    </AccountForm>
  );
}

interface AccountFormProps {
  readonly page: ViewerPage;
  readonly title: string;
  readonly button: string;
  /** Is there an account already? Else a password is chosen. */
  readonly hasAccount?: boolean;
  readonly send: (email: string, password: string) => Promise<SessionJson>;
  readonly children: ComponentChildren;
}

function AccountForm({ page, title, button, hasAccount = false, send, children }: AccountFormProps) {
  const email = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const [error, setError] = useState('');
  const [isSending, setSending] = useState(false);
  useEffect(() => email.current?.focus(), []);
  const submit = async (): Promise<void> => {
    setSending(true);
    setError('');
    try {
      await page.enter(await send(email.current?.value.trim() ?? '', password.current?.value ?? ''));
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
      password.current?.focus();
    } finally {
      setSending(false);
    }
  };
  return (
    <main class="key-page">
      <form
        class="key-form"
        aria-label={title}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Logo />
        <h1>{title}</h1>
        {children}
        <label>
          <span>E-mail</span>
          <input ref={email} type="email" name="email" autocomplete="username" spellcheck={false} required />
        </label>
        <label>
          <span>{hasAccount ? 'Password' : `Password, at least ${PASSWORD_LENGTH_MIN} characters`}</span>
          <input
            ref={password}
            type="password"
            name="password"
            autocomplete={hasAccount ? 'current-password' : 'new-password'}
            minLength={hasAccount ? undefined : PASSWORD_LENGTH_MIN}
            required
          />
        </label>
        <FormError text={error} />
        <button type="submit" disabled={isSending}>
          {button}
        </button>
      </form>
    </main>
  );
}
