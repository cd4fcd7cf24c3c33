/** What a build looks at in the app's folder. Links aren't followed out of it: a buildpack may have made one. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../../common/errors.ts';
import { isJsonObject, type JsonObject } from '../../../common/json-object.ts';
import { errorMessage } from '../../../common/text/error-message.ts';
import { findExternalLink } from '../external-links.ts';
import { BuildError } from './build-error.ts';

/** More than any file that says how an app is built. */
const TEXT_BYTES_MAX = 64 * 1_048_576;

/** Names of what is in the app's top folder. */
export async function listTopFolder(folder: string): Promise<ReadonlySet<string>> {
  return new Set(await readdir(folder));
}

/** A file's text without byte order mark; undefined when there is none. @throws BuildError when it is no small file */
export async function readAppText(folder: string, name: string): Promise<string | undefined> {
  const file = join(folder, name);
  const linkOut = await findExternalLink(folder, [name]);
  if (linkOut !== undefined) throw new BuildError(linkOut);
  try {
    const found = await stat(file);
    if (!found.isFile()) throw new BuildError(`${name} must be a file.`);
    if (found.size > TEXT_BYTES_MAX) throw new BuildError(`${name} is larger than 64 MB.`);
    return (await readFile(file, 'utf8')).replace(/^\ufeff/, '');
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENOTDIR'].includes(systemCode(error))) return undefined;
    throw error;
  }
}

/** An object in a file of JSON; undefined when there is no file. @throws BuildError when it is something else */
export async function readAppJson(folder: string, name: string): Promise<JsonObject | undefined> {
  const text = await readAppText(folder, name);
  return text === undefined ? undefined : requireJsonObject(text, name);
}

/** @throws BuildError when the text of the file `name` is no object */
function requireJsonObject(text: string, name: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = errorMessage(error);
    throw new BuildError(`${name} is no JSON (${reason}): correct it, and commit it.`, { cause: error });
  }
  if (!isJsonObject(value)) throw new BuildError(`${name} must hold one object, {…}.`);
  return value;
}
