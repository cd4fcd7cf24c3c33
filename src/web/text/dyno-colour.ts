/** Every dyno has a colour of its own, the same one on every visit as long as two don't want the same. */

/** Colours in the style sheet: `.dyno-0` … */
const COLOURS = 12;
const given = new Map<string, number>();

/** The number of a dyno's colour. */
export function dynoColour(source: string, dyno: string): number {
  const name = `${source}[${dyno}]`;
  let colour = given.get(name);
  if (colour === undefined) {
    const taken = new Set(given.values());
    const wished = hash(name) % COLOURS;
    colour = wished;
    for (let i = 0; i < COLOURS && taken.size < COLOURS && taken.has(colour); i++)
      // 5 and 12 have no common factor: all colours are tried, neighbours late.
      colour = (wished + i * 5) % COLOURS;
    given.set(name, colour);
  }
  return colour;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
