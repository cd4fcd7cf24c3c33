import { useEffect, useState } from 'preact/hooks';
import { errorMessage } from '../../../common/text/error-message.ts';
import type { PageState } from '../../page-state.ts';
import type { LoginQuestionJson } from '../../stream/api-client.ts';
import { visibleText } from '../../text/visible-text.ts';
import { FormError } from '../controls/form-error.tsx';
import { Logo } from '../icon.tsx';

interface AskedLogin {
  /** Of the link. */
  readonly secret: string;
  readonly question: LoginQuestionJson;
}

/** Asks whoever is signed in whether a command line may act as them. */
export function CommandLineLoginPage({ page }: { page: PageState }) {
  const [asked, setAsked] = useState<AskedLogin | undefined>(undefined);
  const [error, setError] = useState('');
  const [end, setEnd] = useState('');
  const secret = page.session.commandLineLogin.value;
  // Another link may have been opened here since: what is shown is what is allowed.
  const question = asked?.secret === secret ? asked.question : undefined;
  const fail = (failure: unknown): void => setError(errorMessage(failure));
  useEffect(() => {
    setError('');
    setEnd('');
    page.askedLogin().then((found) => setAsked({ secret, question: found }), fail);
  }, [page, secret]);
  const answer = (isAllowed: boolean): void => {
    setError('');
    const said = isAllowed
      ? 'The command line is logged in: this page can be closed.'
      : 'Refused: the command line got nothing.';
    page.answerLogin(isAllowed).then(() => setEnd(said), fail);
  };
  const leave = (): void => {
    page.session.commandLineLogin.value = '';
  };
  const who = page.session.current.value?.user?.email ?? 'this API key';
  return (
    <main class="key-page">
      <form class="key-form" aria-label="Log a command line in" onSubmit={(event) => event.preventDefault()}>
        <Logo />
        <h1>Log a command line in?</h1>
        {end === '' && question && (
          <>
            <p>
              <b>{visibleText(question.description)}</b> at {visibleText(question.address)} wants to act as{' '}
              {visibleText(who)}. Allow it only if you have just begun this login yourself, and it shows the
              same code:
            </p>
            <pre class="login-code">{question.code}</pre>
            <FormError text={error} />
            <button type="button" onClick={() => answer(true)}>
              Allow
            </button>
            <button type="button" class="link-button" onClick={() => answer(false)}>
              Refuse
            </button>
          </>
        )}
        {end !== '' && <p role="status">{end}</p>}
        {end === '' && !question && <FormError text={error} />}
        {(end !== '' || (!question && error !== '')) && (
          <button type="button" class="link-button" onClick={leave}>
            To the logs
          </button>
        )}
      </form>
    </main>
  );
}
