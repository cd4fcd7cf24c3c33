/** What a Python build decides by the app's files. */
import { describe, expect, it } from 'vitest';
import {
  chooseInstaller,
  installerCommands,
  isPythonApp,
} from '../../../../src/apps/build/python/choose-installer.ts';
import {
  meetsPythonRequest,
  pythonCandidates,
  requestedPython,
} from '../../../../src/apps/build/python/python-version.ts';

describe('what installs the packages', () => {
  it.each([
    [['requirements.txt'], 'pip', 0],
    [['uv.lock', 'pyproject.toml'], 'uv', 0],
    [['poetry.lock', 'pyproject.toml'], 'poetry', 0],
    [['Pipfile', 'Pipfile.lock'], 'pipenv', 0],
    [['Pipfile.lock', 'requirements.txt'], 'pipenv', 1],
    [['poetry.lock', 'requirements.txt'], 'pip', 1],
    [['Pipfile', 'requirements.txt'], 'pip', 1],
  ] as const)('of %j is %s', (files, name, warnings) => {
    const choice = chooseInstaller(new Set(files));
    expect(choice.name).toBe(name);
    expect(choice.warnings).toHaveLength(warnings);
  });

  it.each([
    [['uv.lock', 'poetry.lock'], /two lock files, poetry\.lock and uv\.lock/],
    [['Pipfile'], /Pipfile without Pipfile\.lock: run pipenv lock/],
    [['main.py'], /no requirements\.txt: add one/],
  ] as const)('of %j is refused', (files, message) => {
    expect(() => chooseInstaller(new Set(files))).toThrow(message);
  });

  it('an app is Python by these files alone', () => {
    expect(isPythonApp(new Set(['uv.lock']))).toBe(true);
    expect(isPythonApp(new Set(['pyproject.toml', 'main.py']))).toBe(false);
  });

  it('is told to follow the lock file', () => {
    const commands = (name: 'pip' | 'pipenv' | 'poetry' | 'uv', version: string) =>
      installerCommands({ name, file: 'x' }, version).map(({ args }) => args.join(' '));
    expect(commands('uv', '0.9.5')).toEqual([
      'lock --check',
      'sync --frozen --no-default-groups --no-progress',
    ]);
    expect(commands('poetry', '1.3.2')).toEqual([
      'lock --check --no-interaction',
      'install --sync --only main --no-interaction',
    ]);
    expect(commands('poetry', '1.8.5')[0]).toBe('check --lock --no-interaction');
    expect(commands('poetry', '2.2.1')).toEqual([
      'check --lock --no-interaction',
      'sync --only main --no-interaction',
    ]);
    expect(commands('pipenv', '2025.0.4')).toEqual(['install --deploy']);
  });
});

describe('the version', () => {
  it.each([
    ['3.12', undefined, '3.12', '.python-version'],
    ['# pyenv\n3.12.4\n3.11\n', undefined, '3.12.4', '.python-version'],
    ['python-3.12\n', undefined, '3.12', '.python-version'],
    [undefined, 'python-3.11.7\n', '3.11.7', 'runtime.txt'],
    ['3.13', 'python-3.11.7', '3.13', '.python-version'],
  ] as const)('of %j and %j is %s', (pythonVersion, runtime, version, file) => {
    expect(requestedPython(pythonVersion, runtime)).toEqual({ version, file });
  });

  it.each([
    ['pypy3.10', undefined, /\.python-version says "pypy3\.10"/],
    ['', undefined, /\.python-version says ""/],
    [undefined, 'latest', /runtime\.txt says "latest", which is no version of Python: write python-3\.12/],
  ] as const)('of %j and %j is refused', (pythonVersion, runtime, message) => {
    expect(() => requestedPython(pythonVersion, runtime)).toThrow(message);
  });

  it('is met by another patch level only if none was asked for', () => {
    expect(meetsPythonRequest('3.12.4', '3.12')).toBe(true);
    expect(meetsPythonRequest('3.12.4', '3.12.4')).toBe(true);
    expect(meetsPythonRequest('3.12.4', '3.12.1')).toBe(false);
    expect(meetsPythonRequest('3.1.2', '3.12')).toBe(false);
    expect(requestedPython(undefined, undefined)).toBeUndefined();
  });

  it('is looked for on the PATH and in pyenv, the newest first', () => {
    expect(pythonCandidates(undefined, '/p', ['3.12.1'])).toEqual(['python3']);
    expect(pythonCandidates('3.12', '/p', ['3.12.1', '3.12.10', '3.11.0']).slice(-2)).toEqual([
      '/p/3.12.10/bin/python3.12',
      '/p/3.12.1/bin/python3.12',
    ]);
  });
});
