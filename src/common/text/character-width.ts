const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const ZERO = /^\p{Mn}|\p{Me}|\u200d|[\ufe00-\ufe0f]$/u;

/** How many columns of a terminal a character takes, as far as terminals agree (Unicode's East Asian Width). */
export function characterWidth(character: string): 0 | 1 | 2 {
  if (character <= '\x7e') return 1;
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
