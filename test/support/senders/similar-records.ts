/** Bodies of one sender, made of a seed: records with the same keys in the same order, but for a few. */
import { Dice } from '../properties/dice.ts';
import { seededRandom } from '../properties/seeded-random.ts';

const KEYS = ['level', 'time', 'pid', 'hostname', 'a-longer-name-of-a-key', 'status', 'req', 'msg'];
const VALUES = ['30', '1767225600000', '7', '"box"', '"x y"', '200', '{"level":1,"url":"/"}', '"done"'];

/** The body of this seed. */
export function similarBody(seed: number): { readonly format: 'json' | 'ndjson'; readonly body: Buffer } {
  const dice = new Dice(seededRandom(seed));
  const text = (): string => {
    const plain = (): string => 'x'.repeat(dice.below(20));
    const odd = (): string => dice.one('', ']', '\\"', '\\\\', '\\n', '\\u0041', 'é');
    return `"${plain()}${odd()}${plain()}${odd()}${plain()}"`;
  };
  const time = (): string => {
    const ms = 1_767_225_599_000 + dice.one(0, 1, 86_400) * 1_000 + dice.below(1_000);
    const seconds = `${Math.floor(ms / 1_000)}`;
    return dice.one(`${ms}`, `${ms}`, `${ms}.25`, seconds, `${seconds}.125`, JSON.stringify(new Date(ms)));
  };
  const format = dice.one('json', 'ndjson');
  const behindCommas = dice.one('', '', ' ', format === 'json' ? '\n' : ' ');
  const records = Array.from({ length: 1 + dice.below(6) }, () => {
    const pairs = KEYS.map((key, i) => [key, VALUES[i]]);
    pairs[1][1] = time();
    pairs[4][1] = text();
    pairs[7][1] = text();
    const at = dice.below(pairs.length);
    const key = pairs[at][0];
    switch (dice.below(12)) {
      case 0:
        pairs.splice(at, 1);
        break;
      case 1:
        pairs.splice(dice.below(pairs.length), 0, [key, '1']);
        break;
      case 2:
        pairs.splice(at, 0, ...pairs.splice(dice.below(pairs.length), 1));
        break;
      case 3:
        pairs[at][0] = `${key.slice(0, -1)}${dice.one('x', '', '"', '\\n', '\\u0061', 'é', '=')}`;
        break;
      case 4:
        pairs[at][0] = `${key}${dice.one('x', ' ', '_and_so_on_and_so_on')}`;
        break;
      case 5:
        pairs[at][1] = dice.one(
          'null',
          '123456789012345',
          '1234567890123456',
          '0',
          '01',
          '12.5',
          'true',
          '[]',
          '{}',
          '-0',
          '""',
          '1e3',
          '{"pid":1,"pid":2}',
          'x',
        );
        break;
      case 6:
        pairs[at][0] = dice.one('message', 'host', 'dyno', 'severity', 'ts', 'log', 'date', '__proto__', '1');
        break;
    }
    const [space, behind] = [dice.one('', '', '', ' '), dice.one('', '', ' ')];
    const before = dice.below(4) === 0 ? dice.one(' ', '') : behindCommas;
    return `{${pairs.map(([name, value]) => `"${name}"${space}:${behind}${value}`).join(`,${before}`)}}`;
  });
  const body = Buffer.from(format === 'json' ? `[${records.join(',')}]` : records.join('\n'));
  return { format, body };
}
