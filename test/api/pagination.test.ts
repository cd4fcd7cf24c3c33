import fastify from 'fastify';
import { expect, it } from 'vitest';
import { paginate } from '../../src/api/pagination.ts';

/** Five builds, of which three began in the same moment. */
const BUILDS = ['1', '2', '2', '2', '3'].map((created_at, i) => ({ id: `b${i}`, created_at, number: i }));

async function page(range: string) {
  const api = fastify();
  api.get('/', async (request, reply) => paginate(request, reply, BUILDS, ['created_at', 'number']));
  const { statusCode, headers, body } = await api.inject({ url: '/', headers: { range } });
  const ids = statusCode < 300 ? (JSON.parse(body) as { id: string }[]).map(({ id }) => id) : [];
  return { statusCode, ids, next: headers['next-range']?.toString() };
}

it('pages neither miss nor repeat what has the same value, in either order', async () => {
  for (const [order, from, ids] of [
    ['', '1', ['b0', 'b1', 'b2', 'b3', 'b4']],
    [', order=desc', '3', ['b4', 'b3', 'b2', 'b1', 'b0']],
  ] as const) {
    const first = await page(`created_at ..; max=2${order}`);
    expect(first).toEqual({
      statusCode: 206,
      ids: ids.slice(0, 4),
      next: `created_at ]2..; max=2${order}`,
    });
    expect(await page(first.next!)).toEqual({ statusCode: 200, ids: ids.slice(4), next: undefined });
    expect((await page(`created_at ${from}..; max=1${order}`)).ids).toEqual(ids.slice(0, 1));
  }
});

it('the next page ends where the range does', async () => {
  const first = await page('number 0..2; max=2');
  expect(first).toEqual({ statusCode: 206, ids: ['b0', 'b1'], next: 'number ]1..2; max=2' });
  expect(await page(first.next!)).toEqual({ statusCode: 200, ids: ['b2'], next: undefined });
});

it('a bound of numbers has to be one', async () => {
  for (const range of ['number a..', 'number ..1x', 'number 1..2..3'])
    expect((await page(range)).statusCode).toBe(416);
});
