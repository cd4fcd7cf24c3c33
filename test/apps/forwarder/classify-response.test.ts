import { expect, test } from 'vitest';
import {
  classifyIngestStatus,
  classifyRetryingFixable,
  retryDelayMs,
} from '../../../src/apps/forwarder/classify-response.ts';

test('what a response means for a batch', () => {
  expect([200, 202, 204].map(classifyIngestStatus)).toEqual(['delivered', 'delivered', 'delivered']);
  expect([429, 500, 502, 503, 504].map(classifyIngestStatus)).toEqual(Array(5).fill('retry'));
  expect([301, 400, 401, 403, 404, 413, 415].map(classifyIngestStatus)).toEqual(Array(7).fill('refused'));
});

test('retries come quickly at first, and at most 5 seconds apart', () => {
  const longest = [1, 2, 3, 7, 8, 1000].map((attempt) => retryDelayMs(attempt, () => 1));
  expect(longest).toEqual([50, 100, 200, 3200, 5000, 5000]);
});

test('a batch on disk is retried until its token is valid again; other refusals are final', () => {
  expect([401, 403, 404].map(classifyRetryingFixable)).toEqual(Array(3).fill('retry'));
  expect([204, 400, 413, 503].map(classifyRetryingFixable)).toEqual([
    'delivered',
    'refused',
    'refused',
    'retry',
  ]);
});
