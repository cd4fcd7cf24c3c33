/** Every dyno has a color of its own, the same one on every visit as long as two don't want the same. */

/** Colors in the style sheet: `.dyno-0` … */
const COLOR_COUNT = 12;
const assigned = new Map<string, number>();

/** The number of a dyno's color. */
export function dynoColor(source: string, dyno: string): number {
  const name = `${source}[${dyno}]`;
  let color = assigned.get(name);
  if (color === undefined) {
    const taken = new Set(assigned.values());
    const preferred = hash(name) % COLOR_COUNT;
    color = preferred;
    for (let i = 0; i < COLOR_COUNT && taken.size < COLOR_COUNT && taken.has(color); i++)
      // 5 and 12 have no common factor: all colors are tried, neighbors late.
      color = (preferred + i * 5) % COLOR_COUNT;
    assigned.set(name, color);
  }
  return color;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
