/** Who this browser is signed in as: by the cookie of a session, which scripts can't read. */
import { signal } from '@preact/signals';

export interface BrowserSessionJson {
  readonly signedIn: boolean;
  /** Are there accounts on this server? Else keys are asked for. */
  readonly hasPeople?: boolean;
  /** null: a key was shown, which is nobody's in particular. */
  readonly user: { readonly email: string } | null;
  /** What requests that change something have to send; null: without a session. */
  readonly csrf: string | null;
}

export interface SignIn {
  readonly email: string;
  readonly password: string;
  /** Of an invitation. */
  readonly token?: string;
  readonly remember: boolean;
}

export class BrowserSession {
  /** undefined: it isn't known yet; null: nobody is signed in. */
  readonly current = signal<BrowserSessionJson | null | undefined>(undefined);
  /** Are there accounts on this server? */
  readonly hasPeople = signal(false);
  /** The secret of an invitation's link, or ''. */
  readonly invitation = signal(takeInvitation());

  /** Takes an invitation out of the address, when there is one now. */
  readInvitation(): boolean {
    const secret = takeInvitation();
    if (secret !== '') this.invitation.value = secret;
    return secret !== '';
  }

  /** Asks whether this browser is signed in. */
  async load(): Promise<void> {
    try {
      const response = await fetch('/session', { cache: 'no-store' });
      const session: BrowserSessionJson | undefined = response.ok ? await response.json() : undefined;
      this.hasPeople.value = session?.hasPeople ?? false;
      this.current.value = session?.signedIn ? session : null;
    } catch {
      this.current.value = null;
    }
  }

  /** @throws Error with the server's sentence */
  async signIn(body: SignIn): Promise<void> {
    const path = body.token === undefined ? '/session' : '/invitations/accept';
    this.current.value = await post(path, body);
    this.hasPeople.value = true;
    this.invitation.value = '';
  }

  /** Puts a session in the place of an API key. @throws Error with the server's sentence */
  async rememberKey(key: string): Promise<void> {
    this.current.value = await post('/session', { remember: true }, { authorization: `Bearer ${key}` });
  }

  async signOut(): Promise<void> {
    await fetch('/session', { method: 'DELETE' }).catch(() => undefined);
    this.current.value = null;
  }
}

/** Takes the secret out of `#invite=…`, so that it is neither in the address bar nor in the history. */
function takeInvitation(): string {
  const secret = new URLSearchParams(location.hash.slice(1)).get('invite');
  if (secret !== null) history.replaceState(history.state, '', location.pathname + location.search);
  return secret ?? '';
}

async function post(
  path: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<BrowserSessionJson> {
  const response = await fetch(path, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message ?? `The server answered ${response.status}.`);
  return answer;
}
