/** The app behind a command, where Heroku's users name it: `run rake db:migrate -a shop`. */

interface TrailingApp {
  readonly words: readonly string[];
  /** One of the two. */
  readonly app?: string;
  readonly remote?: string;
  readonly noTty: boolean;
}

type IsRemote = (name: string) => boolean;

/** A name that an app may have, or its id. */
const APP_NAME = /^[a-z][a-z0-9-]*$|^[0-9a-f-]{36}$/;

/**
 * Takes `-a APP`, or the git remote `-r REMOTE` that leads to it, off the end of a command, with the options of `run` that need no value around it.
 * @param isRemote is there a git remote of this name? Other words belong to the command
 * @returns undefined when there is none, or nothing before it
 */
export function splitTrailingApp(words: readonly string[], isRemote: IsRemote): TrailingApp | undefined {
  let app: string | undefined;
  let remote: string | undefined;
  let noTty = false;
  let end = words.length;
  while (end > 1) {
    const word = words[end - 1];
    const before = words[end - 2];
    if (['-x', '--exit-code', '--no-tty'].includes(word)) {
      noTty ||= word === '--no-tty';
      end -= 1;
    } else if (app === undefined && word.startsWith('--app=')) {
      app = word.slice('--app='.length);
      end -= 1;
    } else if (app === undefined && end > 2 && (before === '-a' || before === '--app')) {
      app = word;
      end -= 2;
    } else if (
      remote === undefined &&
      word.startsWith('--remote=') &&
      isRemote(word.slice('--remote='.length))
    ) {
      remote = word.slice('--remote='.length);
      end -= 1;
    } else if (
      remote === undefined &&
      end > 2 &&
      (before === '-r' || before === '--remote') &&
      isRemote(word)
    ) {
      remote = word;
      end -= 2;
    } else break;
  }
  const rest = words.slice(0, end);
  if (app !== undefined) return APP_NAME.test(app) ? { words: rest, app, noTty } : undefined;
  return remote === undefined ? undefined : { words: rest, remote, noTty };
}

/** What `ps:exec` is to do. */
interface DynoCommand {
  readonly dyno: string;
  readonly command: readonly string[];
  readonly app: string | undefined;
  readonly remote: string | undefined;
  readonly noTty: boolean;
}

const DYNO_NAME = /^[a-z][a-z0-9_-]*\.\d+$/;

/**
 * The dyno in front of a command (`web.1 ls -l`), with options between the two (`web.1 -a shop -- ls`) or behind the command.
 * @param named the dyno, when an option says it
 */
export function splitDyno(
  words: readonly string[],
  named: string | undefined,
  isRemote: IsRemote,
): DynoCommand {
  const isFirst = named === undefined && DYNO_NAME.test(words[0] ?? '');
  const dyno = named ?? (isFirst ? words[0] : 'web');
  let rest = isFirst ? words.slice(1) : [...words];
  let app: string | undefined;
  let remote: string | undefined;
  let noTty = false;
  let isMarked = false;
  while (rest.length > 0 && !isMarked) {
    const [word, next] = rest;
    if (word === '--') isMarked = true;
    else if (word === '--no-tty') noTty = true;
    else if (word.startsWith('--app=')) app = word.slice('--app='.length);
    else if ((word === '-a' || word === '--app') && next !== undefined) {
      app = next;
      rest = rest.slice(1);
    } else if (word.startsWith('--remote=')) remote = word.slice('--remote='.length);
    else if ((word === '-r' || word === '--remote') && next !== undefined) {
      remote = next;
      rest = rest.slice(1);
    } else if (word !== '-x' && word !== '--exit-code') break;
    rest = rest.slice(1);
  }
  const split =
    isMarked || app !== undefined || remote !== undefined ? undefined : splitTrailingApp(rest, isRemote);
  if (split)
    return { dyno, command: split.words, app: split.app, remote: split.remote, noTty: noTty || split.noTty };
  return { dyno, command: rest, app, remote, noTty };
}
