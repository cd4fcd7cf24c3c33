/** Which Python an app asks for, and where it is looked for. */
import { BuildError } from '../steps/build-error.ts';

export interface PythonRequest {
  /** `3.12` or `3.12.4`, and the file that says so. */
  readonly version: string;
  readonly file: string;
}

/**
 * `.python-version` before `runtime.txt`.
 * @throws BuildError for a file that names no version
 */
export function requestedPython(
  pythonVersion: string | undefined,
  runtime: string | undefined,
): PythonRequest | undefined {
  if (pythonVersion !== undefined) {
    const [line = ''] = pythonVersion
      .split('\n')
      .map((text) => text.trim())
      .filter((text) => text !== '' && !text.startsWith('#'));
    return {
      version: parseVersion(line.replace(/^(cpython|python)-?/, ''), '.python-version', '3.12'),
      file: '.python-version',
    };
  }
  if (runtime === undefined) return undefined;
  return {
    version: parseVersion(runtime.trim().replace(/^python-/, ''), 'runtime.txt', 'python-3.12'),
    file: 'runtime.txt',
  };
}

function parseVersion(text: string, file: string, example: string): string {
  if (/^3\.\d{1,2}(\.\d{1,3})?$/.test(text)) return text;
  throw new BuildError(
    `${file} says "${text.slice(0, 50)}", which is no version of Python: write ${example}, say, and commit.`,
  );
}

/** Is what is there (`3.12.4`) what was asked for (`3.12`, `3.12.4`)? */
export function meetsPythonRequest(version: string, requested: string): boolean {
  return version === requested || version.startsWith(`${requested}.`);
}

/**
 * Programs to try for a version, the best first.
 * @param pyenvVersions names in pyenv's folder of versions
 */
export function pythonCandidates(
  requested: string | undefined,
  pyenvFolder: string,
  pyenvVersions: readonly string[],
): string[] {
  if (requested === undefined) return ['python3'];
  const [major, minor] = requested.split('.');
  const name = `python${major}.${minor}`;
  const ofPyenv = pyenvVersions
    .filter((version) => meetsPythonRequest(version, requested))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((version) => `${pyenvFolder}/${version}/bin/${name}`);
  return ['python3', name, `/usr/bin/${name}`, `/usr/local/bin/${name}`, ...ofPyenv];
}
