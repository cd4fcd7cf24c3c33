/** The app behind a command, where Heroku's users name it: `run rake db:migrate -a shop`. */

interface TrailingApp {
  readonly words: readonly string[];
  readonly app: string;
  readonly noTty: boolean;
}

/** A name that an app may have, or its id. */
const APP_NAME = /^[a-z][a-z0-9-]*$|^[0-9a-f-]{36}$/;

/**
 * Takes `-a APP` off the end of a command, with the options of `run` that need no value around it.
 * @returns undefined when there is none, or nothing before it
 */
export function splitTrailingApp(words: readonly string[]): TrailingApp | undefined {
  let app: string | undefined;
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
    } else break;
  }
  if (app === undefined || !APP_NAME.test(app)) return undefined;
  return { words: words.slice(0, end), app, noTty };
}

/** What `ps:exec` is to do. */
interface DynoCommand {
  readonly dyno: string;
  readonly command: readonly string[];
  readonly app: string | undefined;
  readonly noTty: boolean;
}

const DYNO_NAME = /^[a-z][a-z0-9_-]*\.\d+$/;

/**
 * The dyno in front of a command (`web.1 ls -l`), with options between the two (`web.1 -a shop -- ls`) or behind the command.
 * @param named the dyno, when an option says it
 */
export function splitDyno(words: readonly string[], named: string | undefined): DynoCommand {
  const isFirst = named === undefined && DYNO_NAME.test(words[0] ?? '');
  const dyno = named ?? (isFirst ? words[0] : 'web');
  let rest = isFirst ? words.slice(1) : [...words];
  let app: string | undefined;
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
    } else if (word !== '-x' && word !== '--exit-code') break;
    rest = rest.slice(1);
  }
  const split = isMarked || app !== undefined ? undefined : splitTrailingApp(rest);
  if (split) return { dyno, command: split.words, app: split.app, noTty: noTty || split.noTty };
  return { dyno, command: rest, app, noTty };
}
