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
