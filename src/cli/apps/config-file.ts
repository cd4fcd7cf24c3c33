import { decodeEnvFile, EnvFileError, parseEnvFile } from '../../apps/processes/config/env-file.ts';
import { TailraceError } from '../../common/errors.ts';

/**
 * Config vars as `.env` files have them.
 * @throws TailraceError `invalid_params` with the line that can't be read
 */
export function parseConfigFile(bytes: Buffer): Readonly<Record<string, string>> {
  try {
    return parseEnvFile(decodeEnvFile(bytes));
  } catch (error) {
    if (!(error instanceof EnvFileError)) throw error;
    const reason = error.message.slice(error.message.indexOf(': ') + 2);
    throw new TailraceError('invalid_params', `Line ${error.line}: ${reason} Nothing was changed.`, {
      cause: error,
    });
  }
}
