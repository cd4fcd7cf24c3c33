/** A disk that is full is said to be, whoever couldn't write. */
import { expect, it } from 'vitest';
import { TailraceError } from '../../../src/common/errors.ts';
import { fileError, programFileError } from '../../../src/common/files/file-error.ts';

const full = (cause: Error) =>
  new TailraceError('store_full', "The server's disk is full: make space, and try again.", { cause });

it.each(['ENOSPC', 'EDQUOT', 'EFBIG', 'EACCES'])('%s', (code) => {
  const error = Object.assign(new Error('write'), { code });
  expect(fileError(error)).toEqual(code === 'EACCES' ? error : full(error));
});

it.skipIf(process.platform !== 'linux')('what a program said is believed while there is room', () => {
  const error = new Error('tar failed: status 2');
  expect(programFileError('/proc', error)).toEqual(full(error)); // it has no room for anybody
  expect(programFileError('/dev/shm', error)).toBe(error);
  expect(programFileError('/nowhere', error)).toBe(error);
});
