import { Logo } from '../../view/icon.tsx';
import { AccountForm } from '../../view/session/account-form.tsx';
import type { SessionJson } from '../api/viewer-json.ts';
import type { Admission } from '../viewer-location.ts';
import type { ViewerPage } from '../viewer-page.ts';

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
      title="Sign in"
      button="Sign in"
      hasAccount
      send={async (email, password) =>
        page.enter(await page.client.change<SessionJson>('POST', 'api/session', { email, password }))
      }
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
      title={isFirst ? 'Welcome' : 'You are invited'}
      button={isFirst ? 'Make my account' : 'Join'}
      send={async (email, password) => {
        const path = isFirst ? 'api/first-run' : 'api/invites/accept';
        await page.enter(await page.client.change<SessionJson>('POST', path, { token, email, password }));
      }}
    >
      <p>
        {isFirst
          ? 'Make the owner’s account of this viewer. The link that brought you here works once.'
          : 'Choose a password, and read along.'}
      </p>
    </AccountForm>
  );
}
