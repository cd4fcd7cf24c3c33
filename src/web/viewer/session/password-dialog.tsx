import { useRef, useState } from 'preact/hooks';
import { FormError } from '../../view/controls/form-error.tsx';
import { Modal } from '../../view/modal.tsx';
import { PASSWORD_LENGTH_MIN } from '../../view/session/account-form.tsx';
import type { SessionJson } from '../api/viewer-json.ts';
import type { ViewerPage } from '../viewer-page.ts';

/** Changes one's own password; other browsers are signed out by that. */
export function PasswordDialog({ page }: { page: ViewerPage }) {
  const current = useRef<HTMLInputElement>(null);
  const next = useRef<HTMLInputElement>(null);
  const [error, setError] = useState('');
  const close = (): void => {
    page.overlay.value = '';
  };
  const change = async (): Promise<void> => {
    try {
      page.client.session.value = await page.client.change<SessionJson>('POST', 'api/password', {
        current: current.current?.value,
        password: next.current?.value,
      });
      close();
      page.showNotice('Password changed');
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
  };
  return (
    <Modal title="Change the password" onClose={close}>
      <form
        class="time-form wide-labels"
        onSubmit={(event) => {
          event.preventDefault();
          void change();
        }}
      >
        <p class="hint">Other browsers in which you are signed in are signed out.</p>
        <label>
          <span>Now</span>
          <input ref={current} type="password" name="current" autocomplete="current-password" required />
        </label>
        <label>
          <span>From now on</span>
          <input
            ref={next}
            type="password"
            name="password"
            autocomplete="new-password"
            required
            minLength={PASSWORD_LENGTH_MIN}
          />
        </label>
        <FormError text={error} />
        <button type="submit">Change it</button>
      </form>
    </Modal>
  );
}
