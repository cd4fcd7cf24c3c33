import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { errorMessage } from '../../../common/text/error-message.ts';
import { visibleText } from '../../text/visible-text.ts';
import { FormError } from '../controls/form-error.tsx';
import { Logo } from '../icon.tsx';

/** As the server has it. */
export const PASSWORD_LENGTH_MIN = 8;

export interface AccountFormProps {
  readonly title: string;
  readonly button: string;
  /** Is there an account already? Else a password is chosen. */
  readonly hasAccount?: boolean;
  /** Is it asked whether the browser stays signed in? */
  readonly asksToRemember?: boolean;
  /** Rejects with what was wrong, in a sentence. */
  readonly send: (email: string, password: string, isRemembered: boolean) => Promise<void>;
  /** Another way in, which needs no password here. */
  readonly other?: { readonly label: string; readonly go: (isRemembered: boolean) => void } | null;
  /** Above the fields. */
  readonly children: ComponentChildren;
  /** Below the button. */
  readonly footer?: ComponentChildren;
}

/** Asks for an address and a password. */
export function AccountForm(props: AccountFormProps) {
  const { title, button, hasAccount = false, asksToRemember = false, send, other, children, footer } = props;
  const email = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const remember = useRef<HTMLInputElement>(null);
  const [error, setError] = useState('');
  const [isSending, setSending] = useState(false);
  useEffect(() => email.current?.focus(), []);
  const submit = async (): Promise<void> => {
    setSending(true);
    setError('');
    try {
      await send(
        email.current?.value.trim() ?? '',
        password.current?.value ?? '',
        remember.current?.checked ?? false,
      );
    } catch (failure) {
      setError(errorMessage(failure));
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
        {asksToRemember && <RememberBox box={remember} />}
        <FormError text={error} />
        <button type="submit" disabled={isSending}>
          {button}
        </button>
        {other && (
          <button type="button" onClick={() => other.go(remember.current?.checked ?? false)}>
            {visibleText(other.label)}
          </button>
        )}
        {footer}
      </form>
    </main>
  );
}

/** Asks whether the browser stays signed in when it is closed. */
export function RememberBox({ box }: { box: { current: HTMLInputElement | null } }) {
  return (
    <label class="remember">
      <input ref={box} type="checkbox" name="remember" />
      <span>Remember this browser</span>
    </label>
  );
}
