import { expect, it } from 'vitest';
import { classifyDrainResponse } from '../../../../src/logs/drains/encoders/classify-response.ts';

it.each([
  [200, 'accepted'],
  [201, 'accepted'],
  [202, 'accepted'],
  [204, 'accepted'],
  [301, 'retry'],
  [400, 'refused'],
  [401, 'retry'],
  [403, 'retry'],
  [404, 'retry'],
  [408, 'retry'],
  [413, 'refused'],
  [415, 'refused'],
  [422, 'refused'],
  [425, 'retry'],
  [429, 'retry'],
  [500, 'retry'],
  [502, 'retry'],
  [503, 'retry'],
  [504, 'retry'],
])('%i: %s', (status, meaning) => expect(classifyDrainResponse(status)).toBe(meaning));
