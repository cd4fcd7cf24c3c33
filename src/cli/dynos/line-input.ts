import { characterWidth } from '../../common/text/character-width.ts';

/** What comes of some typed characters. */
interface TypedInput {
  /** Shown on the terminal. */
  readonly echo: string;
  /** Whole lines for the program. */
  readonly lines: string;
  /** The terminal is to be detached. */
  readonly isDetached: boolean;
}

const BACKSPACE = '\b \b';
/** Arrow keys and the like (ECMA-48). */
const ESCAPE_SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?/g;
/**
 * Edits a line in a terminal that does nothing by itself: a program with a pipe for its input gets whole lines, and keys that would end it
 * only detach.
 */
export class LineInput {
  private line: string[] = [];

  /** @param text one or several characters, as the terminal sends them */
  type(text: string): TypedInput {
    let echo = '';
    let lines = '';
    for (const character of text.replace(ESCAPE_SEQUENCE, '')) {
      switch (character) {
        case '\r':
        case '\n':
          lines += `${this.line.join('')}\n`;
          echo += '\n';
          this.line = [];
          break;
        case '\x7f':
        case '\b':
          echo += this.erase();
          break;
        case '\x15': // Ctrl-U
          while (this.line.length > 0) echo += this.erase();
          break;
        case '\x03': // Ctrl-C
        case '\x1d': // Ctrl-]
          return { echo, lines, isDetached: true };
        case '\x04': // Ctrl-D
          if (this.line.length === 0) return { echo, lines, isDetached: true };
          break;
        default:
          if (character < ' ' && character !== '\t') break;
          this.line.push(character);
          echo += character;
      }
    }
    return { echo, lines, isDetached: false };
  }

  private erase(): string {
    const last = this.line.pop();
    if (last === undefined) return '';
    return BACKSPACE.repeat(characterWidth(last));
  }
}
