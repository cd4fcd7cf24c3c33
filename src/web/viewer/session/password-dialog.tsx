import { DialogForm } from '../../view/controls/dialog-form.tsx';
import { Modal } from '../../view/modal.tsx';
import { PASSWORD_LENGTH_MIN } from '../../view/session/account-form.tsx';
import type { SessionJson } from '../api/viewer-json.ts';
import type { ViewerPage } from '../viewer-page.ts';

/** Changes one's own password; other browsers are signed out by that. */
export function PasswordDialog({ page }: { page: ViewerPage }) {
  const close = (): void => {
    page.overlay.value = '';
  };
  const change = async (values: FormData): Promise<void> => {
    page.client.session.value = await page.client.change<SessionJson>('POST', 'api/password', {
      current: values.get('current'),
      password: values.get('password'),
    });
    close();
    page.showNotice('Password changed');
  };
  return (
    <Modal title="Change the password" onClose={close}>
      <DialogForm class="wide-labels" onSubmit={change} buttons={<button type="submit">Change it</button>}>
        <p class="hint">Other browsers in which you are signed in are signed out.</p>
        <label>
          <span>Now</span>
          <input type="password" name="current" autocomplete="current-password" required />
        </label>
        <label>
          <span>From now on</span>
          <input
            type="password"
            name="password"
            autocomplete="new-password"
            required
            minLength={PASSWORD_LENGTH_MIN}
          />
        </label>
      </DialogForm>
    </Modal>
  );
}
