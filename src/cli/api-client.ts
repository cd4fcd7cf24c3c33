/** How commands reach a server: its address and a key, from the environment or from a data folder on this machine. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { defaultDataFolder } from '../common/config/settings.ts';
import { type ErrorCode, systemCode, TailraceError } from '../common/errors.ts';
import { sendClientRequest } from '../common/http/client/client-request.ts';
import { watchForSilence } from '../common/http/client/silent-server.ts';
import { trimTrailing } from '../common/limits/trim-trailing.ts';
import { isProcessRunning } from '../common/processes/process-identity.ts';
import { PROGRAM_HEADER } from '../common/text/program-name.ts';
import { loadLogins } from './access/credentials.ts';
import { connectionError, foreignAnswer } from './connection-error.ts';
import { programName } from './program-name.ts';

/** The git remote that leads to an app. */
export const GIT_REMOTE = 'tailrace';

export interface ServerAddress {
  readonly url: string;
  readonly key: string;
  /** In place of the key: what is sent as `Authorization`. */
  readonly authorization?: string;
  /** A server of this machine, found by its data folder. */
  readonly local?: {
    readonly pid: number;
    readonly folder: string;
    /** Can `server:restart` restart it? Not before it has started. */
    readonly takesRestart: boolean;
    /** It will soon be able to. */
    readonly isStarting: boolean;
    /** Another value each time that it couldn't be restarted. */
    readonly restartFailed: string | undefined;
  };
  /** Where others reach a server of this machine, if it knows. */
  readonly publicUrl?: string;
}

/** The server that `--remote` leads to. */
let serverOfRemote: ServerAddress | undefined;

/**
 * Where the server is: `TAILRACE_URL` and `TAILRACE_API_KEY`, or the running server of the nearest `.tailrace/` folder
 * at or above this one, or the one of the default data folder, or the one that somebody has logged in to.
 * @throws TailraceError when there is none, with what to do.
 */
export function findServer(): ServerAddress {
  if (serverOfRemote) return serverOfRemote;
  const key = keyFromEnvironment();
  const url = serverUrlFromEnvironment();
  if (url && key) return { url, key };
  const local = dataFolders()
    .map(readLocalServer)
    .find((found) => found !== undefined);
  const login = local && url === undefined ? undefined : findLogin(url);
  if (url) {
    if (local?.url === url) return local;
    if (login) return login;
    if (local) return { url, key: local.key };
    throw new TailraceError(
      'unauthorized',
      `TAILRACE_URL is set, but no key: set TAILRACE_API_KEY too (\`tailrace auth:token\` prints one where the server runs), or \`tailrace login --url ${url}\`.`,
    );
  }
  if (local) return local;
  if (login) return login;
  throw new TailraceError(
    'unavailable',
    'No tailrace server is running here: start one with `tailrace start` or `tailrace serve`, or log in to one elsewhere with `tailrace login --url …`.',
  );
}

/**
 * Of the servers that {@link findServer} might find the one at this address, `https://logs.example.com`; undefined when none is there, or
 * it has another name here.
 */
export function findServerAt(origin: string): ServerAddress | undefined {
  const url = serverUrlFromEnvironment();
  const key = keyFromEnvironment();
  const all: (ServerAddress | undefined)[] = [
    url && key ? { url, key } : undefined,
    ...dataFolders().map(readLocalServer),
    ...loadLogins(),
  ];
  return all.find((one) => one && [one.url, one.publicUrl].some((at) => at && originOf(at) === origin));
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : '';
}

/** The last login, at this server if there is one. */
function findLogin(url: string | undefined): ServerAddress | undefined {
  return loadLogins().find((login) => url === undefined || login.url === url);
}

/**
 * `TAILRACE_URL`, without slashes at its end; undefined when it isn't set.
 * @throws TailraceError `invalid_params` when it is no address.
 */
export function serverUrlFromEnvironment(): string | undefined {
  const url = trimTrailing(process.env.TAILRACE_URL ?? '', '/');
  if (url === '' || (/^https?:/.test(url) && URL.canParse(url))) return url || undefined;
  throw new TailraceError(
    'invalid_params',
    `TAILRACE_URL is "${url}": it must be an address such as http://127.0.0.1:8601 or https://logs.example.com.`,
  );
}

/**
 * `TAILRACE_API_KEY`, without what a file's end leaves behind it.
 * @throws TailraceError `unauthorized` for what no header can hold: a second line, say
 */
function keyFromEnvironment(): string | undefined {
  const key = process.env.TAILRACE_API_KEY?.trim();
  if (!key || /^[!-~]+$/.test(key)) return key;
  throw new TailraceError(
    'unauthorized',
    'TAILRACE_API_KEY has a line break, a space or a letter in it that no key has: `tailrace auth:token` prints one.',
  );
}

/** Folders in which a server of this machine may keep its data, the nearest first. */
export function dataFolders(): string[] {
  const folders: string[] = [];
  if (process.env.TAILRACE_DATA) folders.push(process.env.TAILRACE_DATA);
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    folders.push(join(folder, '.tailrace'));
    if (dirname(folder) === folder) break;
  }
  folders.push(defaultDataFolder(process.env), ...exampleDataFolder());
  return folders;
}

/** In a clone, `npm start` runs the example: its server is found from the clone's top folder too. */
function exampleDataFolder(): string[] {
  const folder = join(process.cwd(), 'examples', 'counter', '.tailrace');
  return existsSync(folder) ? [folder] : [];
}

/** The server that runs with this data folder; undefined: none does. */
export function readLocalServer(folder: string): ServerAddress | undefined {
  try {
    const note = JSON.parse(readFileSync(join(folder, 'server.json'), 'utf8'));
    const { url, publicUrl, pid, startTicks, takesRestart = false, isStarting = false, restartFailed } = note;
    if (!isProcessRunning(Number(pid), startTicks)) return undefined;
    const key = readFileSync(join(folder, 'key'), 'utf8').trim();
    return {
      url: String(url),
      key,
      local: { pid: Number(pid), folder, takesRestart, isStarting, restartFailed },
      publicUrl,
    };
  } catch (error) {
    if (systemCode(error) !== 'EACCES') return undefined;
    throw new TailraceError(
      'forbidden',
      `The data folder ${folder} belongs to another user: set TAILRACE_URL and TAILRACE_API_KEY.`,
    );
  }
}

/** What a server has answered, as a whole. */
interface Answer {
  readonly statusCode: number;
  readonly text: string;
  readonly etag: string;
  readonly nextRange: string;
  readonly type?: string;
  readonly location?: string;
}

type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

/** A client of one server. */
export class ApiClient {
  readonly address: ServerAddress;
  /** Added to `not_found` when the app wasn't named on the command line. */
  private notFoundHint = '';
  private readonly timeoutMs: number | undefined;

  /** @param timeoutMs how long a response may take; left out: no timeout. */
  constructor(address: ServerAddress = findServer(), timeoutMs?: number) {
    this.address = address;
    this.timeoutMs = timeoutMs;
  }

  /**
   * Sends a request to the API; `T` is the shape of the response. A list comes as a whole, however many pages it has.
   * @throws TailraceError with the server's own sentence.
   */
  async request<T>(method: Method, path: string, body?: unknown, ifMatch?: string): Promise<T> {
    return (await this.requestTagged<T>(method, path, body, ifMatch)).value;
  }

  /**
   * The same, with the entity tag of the response ('' for none).
   * @param ifMatch a tag that the resource must still have; the server refuses with `precondition_failed` when it hasn't
   */
  async requestTagged<T>(
    method: Method,
    path: string,
    body?: unknown,
    ifMatch?: string,
  ): Promise<{ value: T; etag: string }> {
    const json = body === undefined ? undefined : JSON.stringify(body);
    const condition = ifMatch === undefined ? undefined : { 'if-match': ifMatch };
    const { value, etag, nextRange } = await this.sendOk(method, path, json, condition);
    if (nextRange === '' || !Array.isArray(value)) return { value: value as T, etag };
    return { value: [...value, ...(await this.restOfList(path, nextRange))] as T, etag };
  }

  /** The pages of a list behind its first one. */
  private async restOfList(path: string, firstRange: string): Promise<unknown[]> {
    const rest: unknown[] = [];
    for (let range = firstRange; range !== ''; ) {
      const page = await this.sendOk('GET', path, undefined, { range });
      rest.push(...(page.value as unknown[]));
      range = page.nextRange;
    }
    return rest;
  }

  /** @throws TailraceError with the server's own sentence, or with one about what answers in its place */
  private async sendOk(
    method: Method,
    path: string,
    json: string | undefined,
    headers: Readonly<Record<string, string>> | undefined,
  ): Promise<{ value: unknown; etag: string; nextRange: string }> {
    const answer = await this.send(method, path, json, 'application/json', headers);
    const { statusCode, text } = answer;
    const { local } = this.address;
    if (statusCode === 401 && local && !process.env.TAILRACE_API_KEY)
      throw new TailraceError(
        'unauthorized',
        `The key in ${join(local.folder, 'key')} was revoked: restart the server, which makes another, or set TAILRACE_API_KEY.`,
      );
    if (statusCode >= 400)
      throw errorFromResponse(statusCode, text, askedPath(path, json), this.notFoundHint);
    const value = statusCode < 300 ? parseAnswer(text) : null;
    if (value === null) throw foreignAnswer(this.address.url, statusCode, answer);
    return { ...answer, value };
  }

  /** Where the app's name came from, since it may be gone. */
  setImpliedApp(name: string, origin: string): void {
    this.notFoundHint = ` (${name}, which ${origin} names; name another with --app)`;
  }

  /**
   * Sends a request whose answer is read as it comes, whatever its status.
   * @throws TailraceError `unavailable` when nobody answers
   */
  async stream(
    method: Method,
    path: string,
    body: unknown,
  ): Promise<{
    readonly statusCode: number;
    readonly body: AsyncIterable<Buffer> & { text(): Promise<string> };
  }> {
    return this.open(method, path, JSON.stringify(body), 'application/json');
  }

  /** Pushes lines of text to `/logs`. */
  async pushLines(token: string, dyno: string, text: Buffer): Promise<void> {
    const path = `/logs?token=${encodeURIComponent(token)}&dyno=${encodeURIComponent(dyno)}`;
    const response = await this.send('POST', path, text, 'text/plain');
    if (response.statusCode >= 400) throw errorFromResponse(response.statusCode, response.text);
  }

  private async send(
    method: Method,
    path: string,
    body: string | Buffer | undefined,
    type: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await this.open(method, path, body, type, more);
    const { etag, 'next-range': nextRange, 'content-type': contentType, location } = response.headers;
    const text = await response.body.text().catch((error: unknown) => {
      throw this.noAnswer(error, method);
    });
    return {
      type: contentType,
      location,
      statusCode: response.statusCode,
      text,
      etag: typeof etag === 'string' ? etag : '',
      nextRange: typeof nextRange === 'string' ? nextRange : '',
    };
  }

  private async open(
    method: Method,
    path: string,
    body: string | Buffer | undefined,
    type: string,
    more: Readonly<Record<string, string>> = {},
  ) {
    const headers = {
      ...more,
      authorization: this.address.authorization ?? `Bearer ${this.address.key}`,
      accept: 'application/json',
      [PROGRAM_HEADER]: programName(),
      ...(body === undefined ? {} : { 'content-type': type }),
    };
    requireNames(path);
    try {
      const url = this.address.url + path;
      const { timeoutMs } = this;
      if (timeoutMs !== undefined)
        return await sendClientRequest(url, {
          method,
          headers,
          body,
          signal: AbortSignal.timeout(timeoutMs),
        });
      // A release waits for its release command, which may take long.
      return await this.whileItAnswers((signal) => sendClientRequest(url, { method, headers, body, signal }));
    } catch (error) {
      throw this.noAnswer(error, method);
    }
  }

  /** Does what may take long, as long as the server answers others meanwhile. @throws ServerSilence when it answers nothing any more */
  async whileItAnswers<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, end } = watchForSilence(`${this.address.url}/health`);
    try {
      return await work(signal);
    } finally {
      end();
    }
  }

  private noAnswer(cause: unknown, method: Method): TailraceError {
    if (cause instanceof TailraceError) return cause;
    const reason = systemCode(cause) || String(cause);
    return connectionError(this.address.url, reason, { isChange: method !== 'GET', cause });
  }
}

/** The value of a body; undefined for an empty one, null for what is no JSON of the API's. */
function parseAnswer(text: string): unknown {
  if (text === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/**
 * What a response with an error status means.
 * @param body in the API's form; a proxy in between may have written something else
 * @param path what was requested: what isn't there is named in it
 * @param appOrigin where the app's name came from, when nobody has typed it
 */
export function errorFromResponse(status: number, body: string, path = '', appOrigin = ''): TailraceError {
  const message = messageOf(body) ?? `The server answered ${status}.`;
  const missing = status === 404 ? /^(Couldn't find that ([^.:(]+))\.$/.exec(message) : null;
  if (!missing) return new TailraceError(codeOfStatus(status), message);
  const [, sentence, kind] = missing;
  const name = kind === 'app' && appOrigin !== '' ? appOrigin : nameInPath(kind, path);
  return new TailraceError(codeOfStatus(status), `${sentence}${name}.`);
}

/**
 * An empty name (of a variable that isn't set), `.` or `..` would make it the path of something else: of all dynos, say.
 * @throws TailraceError `invalid_params`
 */
function requireNames(path: string): void {
  const nameless = path
    .split('?', 1)[0]
    .split('/')
    .slice(1)
    .find((segment) => /^\.{0,2}$/.test(segment));
  if (nameless === undefined) return;
  throw new TailraceError(
    'invalid_params',
    `${nameless === '' ? 'A name is empty' : `"${nameless}" is no name`}: say which one is meant.`,
  );
}

/** The path of what is asked for: to find an add-on, its name is sent. */
function askedPath(path: string, json: string | undefined): string {
  if (!path.startsWith('/actions/') || json === undefined) return path;
  const { addon }: { addon?: unknown } = JSON.parse(json);
  return addon === undefined ? '' : `/addons/${encodeURIComponent(String(addon))}`;
}

/** `: nope` for a drain in `/apps/shop/log-drains/nope`; '' when the path names none. */
function nameInPath(kind: string, path: string): string {
  const plurals = [kind, kind.split(' ', 1)[0]].map((name) => `${name.replace(/\W/g, '')}s`);
  const segments = path.split('?', 1)[0].split('/');
  const at = segments.findIndex((segment) => {
    const word = segment.replace(/\W/g, '');
    return plurals.some((plural) => word.endsWith(plural));
  });
  const name = decodeURIComponent(segments[at + 1] ?? '');
  // A drain's address may have a password in it.
  return at === -1 || name === '' || name.includes('://') ? '' : `: ${name}`;
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 409) return 'conflict';
  if (status === 412) return 'precondition_failed';
  if (status === 423) return 'confirmation_required';
  return status >= 500 ? 'unavailable' : 'bad_request';
}

/** The sentence in a refusal of the server's; undefined for what somebody else has written. */
export function messageOf(body: string): string | undefined {
  try {
    const { message } = JSON.parse(body);
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

/** For commander: the app that a command is about, see {@link resolveApp}. */
export const APP_OPTION = [
  '-a, --app <name>',
  "the app (default: the git remote's, else this folder's)",
] as const;

/** In place of `--app`, as Heroku's command has it; where both are given, `--app` counts. */
class RemoteOption extends Option {
  override attributeName(): string {
    return 'app';
  }
}

/** For commander: `-r, --remote`, the app that a git remote of this folder's repository leads to. */
export function remoteOption(flags = '-r, --remote <name>'): Option {
  return new RemoteOption(flags, 'the app that this git remote leads to').argParser<string | undefined>(
    (name, app) => app ?? useGitRemote(name),
  );
}

/** For commander: `--no-wrap`, which Heroku's command has; no table here is wrapped. */
export function noWrapOption(): Option {
  return new Option('--no-wrap', 'no table is wrapped').hideHelp();
}

/** For commander: `--wait-interval`, which Heroku's command has; here it is looked more often than every second. */
export function waitIntervalOption(): Option {
  return new Option('--wait-interval <seconds>', 'how often to look at the least').hideHelp();
}

/** Adds `-a, --app`, `-r, --remote` and `--json`, which every client command has. */
export function addClientOptions(command: Command): Command {
  return command
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('-j, --json', 'print JSON');
}

/**
 * The app a command is about: `--app`, `TAILRACE_APP`, the git remote `tailrace`, an app named like this folder, or the
 * only one there is.
 * @throws TailraceError `not_found` when none of these is an app.
 */
export async function resolveApp(client: ApiClient, explicit: string | undefined): Promise<string> {
  if (explicit) return explicit;
  if (explicit === '') throw new TailraceError('invalid_params', '--app is empty: name the app.');
  const { TAILRACE_APP: appVariable } = process.env;
  const named = appVariable ?? appNameFromGitRemote();
  if (named) {
    client.setImpliedApp(named, appVariable === undefined ? `the git remote ${GIT_REMOTE}` : 'TAILRACE_APP');
    return named;
  }
  const apps = await client.request<{ name: string }[]>('GET', '/apps');
  const folder = appNameFromFolder(process.cwd());
  const found = apps.find(({ name }) => name === folder) ?? (apps.length === 1 ? apps[0] : undefined);
  if (found) return found.name;
  const names = apps.map(({ name }) => name).join(', ');
  throw new TailraceError(
    'not_found',
    `Which app? Name it with --app${names ? ` (there are: ${names})` : '; there is none yet'}.`,
  );
}

/** A client, an app, and the path of something that it has in the API. */
export interface AppEndpoint {
  readonly client: ApiClient;
  readonly app: string;
  readonly path: string;
}

/**
 * The app that a command is about, as {@link resolveApp} finds it.
 * @param resource what follows the app in the path, such as `/domains`
 */
export async function resolveEndpoint(
  options: { readonly app?: string },
  resource = '',
): Promise<AppEndpoint> {
  const client = new ApiClient();
  const app = await resolveApp(client, options.app);
  return { client, app, path: `/apps/${encodeURIComponent(app)}${resource}` };
}

/**
 * The same for a command that asks several times, perhaps for long: the path is that of the app's id, under which it is found also when it
 * is renamed meanwhile.
 * @throws TailraceError `not_found`
 */
export async function resolveLastingEndpoint(
  options: { readonly app?: string },
  resource = '',
): Promise<AppEndpoint> {
  const { client, app, path } = await resolveEndpoint(options);
  const { id } = await client.request<{ id: string }>('GET', path);
  return { client, app, path: `/apps/${id}${resource}` };
}

/** The default name of an app in a folder. */
export function appNameFromFolder(folder: string): string {
  const words = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '');
  const name = trimTrailing(trimTrailing(words, '-').slice(0, 30), '-');
  return name.length >= 3 ? name : `app-${name || 'here'}`;
}

/** The app that a git remote of this folder's repository leads to. */
export function appNameFromGitRemote(remote = GIT_REMOTE): string | undefined {
  const url = gitRemoteUrl(remote);
  return url === undefined ? undefined : basename(url, '.git');
}

/** Does this folder's repository have a git remote of this name? */
export function isGitRemote(name: string): boolean {
  return gitRemoteUrl(name) !== undefined;
}

function gitRemoteUrl(remote: string): string | undefined {
  try {
    const url = execFileSync('git', ['remote', 'get-url', '--', remote], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return url.toString().trim();
  } catch {
    return undefined;
  }
}

/**
 * The app that a git remote leads to; the rest of the command asks the server that it leads to.
 * @throws TailraceError `not_found` without such a remote, `unauthorized` when it leads to a server that nobody here has a key for
 */
export function useGitRemote(remote: string): string {
  const url = gitRemoteUrl(remote);
  if (url === undefined)
    throw new TailraceError(
      'not_found',
      `This folder has no git remote ${remote}: \`git remote\` lists those that it has; or name the app with --app.`,
    );
  const origin = originOf(url);
  serverOfRemote = findServerAt(origin) ?? sameMachine(origin);
  if (serverOfRemote === undefined)
    throw new TailraceError(
      'unauthorized',
      `The git remote ${remote} leads to ${origin || 'no server of this kind'}, and no key for it is here: \`tailrace login --url …\`, or name the app with --app.`,
    );
  return basename(url, '.git');
}

/** `localhost` and `127.0.0.1` are one. */
function sameMachine(origin: string): ServerAddress | undefined {
  const other = origin.replace('//localhost', '//127.0.0.1');
  return other === origin ? undefined : findServerAt(other);
}
