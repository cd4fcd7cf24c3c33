/** Who this browser is signed in as: by the cookie of a session, which scripts can't read. */
import { signal } from '@preact/signals';

export interface IdentityProvider {
  readonly name: string;
}

export interface BrowserSessionJson {
  readonly signedIn: boolean;
  /** Are there accounts on this server? Else keys are asked for. */
  readonly hasPeople?: boolean;
  /** An identity provider that people may sign in with. */
  readonly provider?: IdentityProvider | null;
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
  readonly provider = signal<IdentityProvider | null>(null);
  /** The secret of an invitation's link, or ''. */
  readonly invitation = signal(takeFromHash('invite'));
  /** The secret of the link that a command line has shown, or ''. */
  readonly commandLineLogin = signal(takeFromHash('login'));

  /** Takes an invitation out of the address, when there is one now. */
  readInvitation(): boolean {
    const secret = takeFromHash('invite');
    if (secret !== '') this.invitation.value = secret;
    return secret !== '';
  }

  /** Takes the login of a command line out of the address, when there is one now. */
  readCommandLineLogin(): boolean {
    const secret = takeFromHash('login');
    if (secret !== '') this.commandLineLogin.value = secret;
    return secret !== '';
  }

  /** Where to sign in with the identity provider; the login of a command line is gone on with afterwards. */
  providerUrl(isRemembered: boolean): string {
    const login = this.commandLineLogin.value;
    const to = login === '' ? location.search : `#login=${login}`;
    return `session/oidc?${new URLSearchParams({ ...(isRemembered && { remember: '1' }), to })}`;
  }

  /** Asks whether this browser is signed in. */
  async load(): Promise<void> {
    try {
      const response = await fetch('session', { cache: 'no-store' });
      const session: BrowserSessionJson | undefined = response.ok ? await response.json() : undefined;
      this.hasPeople.value = session?.hasPeople ?? false;
      this.provider.value = session?.provider ?? null;
      this.current.value = session?.signedIn ? session : null;
    } catch {
      this.current.value = null;
    }
  }

  /** @throws Error with the server's sentence */
  async signIn(body: SignIn): Promise<void> {
    const path = body.token === undefined ? 'session' : 'invitations/accept';
    this.current.value = await post(path, body);
    this.hasPeople.value = true;
    this.invitation.value = '';
  }

  /** Puts a session in the place of an API key. @throws Error with the server's sentence */
  async rememberKey(key: string): Promise<void> {
    this.current.value = await post('session', { remember: true }, { authorization: `Bearer ${key}` });
  }

  /** The page forgets the session also when the server can't be told. */
  async signOut(): Promise<void> {
    await fetch('session', { method: 'DELETE' }).catch(() => undefined);
    this.current.value = null;
  }
}

/** Takes the secret out of `#name=…`, so that it is neither in the address bar nor in the history. */
function takeFromHash(name: string): string {
  const secret = new URLSearchParams(location.hash.slice(1)).get(name);
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
