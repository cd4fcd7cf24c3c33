/** Python apps by pip, Poetry and Pipenv, with a package of the repository's own: no index is asked. */
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../../../support/program.ts';
import type { Server } from '../../../support/server.ts';
import { PushedApp, startBuildServer } from './pushed-app.ts';

let server: Server;
beforeAll(async () => {
  server = await startBuildServer();
});
afterAll(() => server?.close());

/** Makes the wheel `hello` 1.0, as pip takes it (PEP 427), and says its hash. */
const MAKE_WHEEL = `
import hashlib, os, zipfile
os.makedirs('wheels', exist_ok=True)
path = 'wheels/hello-1.0-py3-none-any.whl'
names = ['hello.py', 'hello-1.0.dist-info/METADATA', 'hello-1.0.dist-info/WHEEL', 'hello-1.0.dist-info/RECORD']
with zipfile.ZipFile(path, 'w') as z:
    z.writestr(names[0], 'NAME = "hello"\\n')
    z.writestr(names[1], 'Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n')
    z.writestr(names[2], 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr(names[3], ''.join(name + ',,\\n' for name in names))
print(hashlib.sha256(open(path, 'rb').read()).hexdigest())
`;
const WORKER = 'worker: python -c "import hello, sys; print(hello.NAME, sys.prefix)"; sleep 1000\n';

/** An app with the wheel in it. */
async function createApp(files: Readonly<Record<string, string>>) {
  const app = await PushedApp.create(server, { Procfile: WORKER, ...files });
  const hash = python(app, MAKE_WHEEL).trim();
  await app.config({ PYTHON: '/usr/bin/python3' });
  return { app, hash };
}

function python(app: PushedApp, script: string): string {
  return execFileSync('/usr/bin/python3', ['-c', script], { cwd: app.repository.folder, encoding: 'utf8' });
}

const PYPROJECT = `[tool.poetry]
name = "shop"
version = "0.1.0"
description = ""
authors = ["Dev <dev@example.com>"]
packages = [{ include = "shop", from = "src" }]

[tool.poetry.dependencies]
python = ">=3.8"
hello = { path = "wheels/hello-1.0-py3-none-any.whl" }
`;

describe('a Python app', () => {
  it.skipIf(missing('poetry'))(
    'with poetry.lock gets what it says, its own package too, wherever it runs',
    async () => {
      const { app } = await createApp({
        'pyproject.toml': PYPROJECT,
        'src/shop/__init__.py': 'NAME = "shop"\n',
        Procfile: WORKER.replace(
          'import hello, sys;',
          'import hello, shop, sys; print(shop.NAME, shop.__file__);',
        ),
      });
      execFileSync('poetry', ['lock', '--no-update', '--no-interaction'], {
        cwd: app.repository.folder,
        stdio: 'pipe',
      });
      const pushed = await app.push();
      expect(pushed.output).toMatch(/-----> Installing packages \(poetry\.lock, poetry \d/);
      expect(pushed.output).toMatch(/Installing hello \(1\.0/);
      expect(pushed.status).toBe(0);
      await app.repository.tailrace('ps:scale', '-a', app.name, 'worker=1');
      await app.waitForLine(/shop \S+\/dynos\/\S+\/src\/shop\/__init__\.py/);
      await app.waitForLine(/hello \S+\/dynos\/\S+\/\.venv$/);

      const stale = await app.push({ 'pyproject.toml': `${PYPROJECT}other = "^1.0"\n` });
      expect(stale.output).toMatch(
        / ! {5}poetry\.lock doesn't match: run poetry lock, and commit poetry\.lock/,
      );
      expect(stale.status).not.toBe(0);
    },
  );

  it.skipIf(missing('pipenv'))(
    'with Pipfile.lock gets what it says, and one that is out of step is refused',
    async () => {
      const pipfile = `[[source]]
url = "https://index.invalid/simple"
verify_ssl = true
name = "own"

[packages]
hello = {path = "./wheels/hello-1.0-py3-none-any.whl"}
`;
      const { app } = await createApp({ Pipfile: pipfile });
      expect((await app.push()).output).toMatch(/There is a Pipfile without Pipfile\.lock: run pipenv lock/);
      // As `pipenv lock` writes it, which would ask an index.
      python(
        app,
        `import json
from pipenv.vendor.plette import Pipfile
pipfile = Pipfile.load(open('Pipfile'))
meta = {'hash': {'sha256': pipfile.get_hash().value}, 'pipfile-spec': 6, 'requires': {}, 'sources': [dict(one._data) for one in pipfile.sources]}
packages = {'hello': {'path': './wheels/hello-1.0-py3-none-any.whl'}}
json.dump({'_meta': meta, 'default': packages, 'develop': {}}, open('Pipfile.lock', 'w'))`,
      );
      const pushed = await app.push();
      expect(pushed.output).toMatch(/-----> Installing packages \(Pipfile\.lock, pipenv \d/);
      expect(pushed.status).toBe(0);
      await app.repository.tailrace('ps:scale', '-a', app.name, 'worker=1');
      await app.waitForLine(/hello \S+\/dynos\/\S+\/\.venv$/);
      const stale = await app.push({ Pipfile: `${pipfile}other = "*"\n` });
      expect(stale.output).toMatch(/ ! {5}pipenv could not install .*doesn't match Pipfile: run pipenv lock/);
      expect(stale.status).not.toBe(0);
    },
  );

  it('with requirements.txt: hooks, the version it asks for, and what else was said', async () => {
    const { app, hash } = await createApp({
      'requirements.txt': '',
      '.python-version': '3.99\n',
      'bin/pre_compile': '#!/bin/sh\necho "before: $A $(command -v python) $(pip --version)"\n',
      'bin/post_compile': 'python -c "import hello; print(hello.NAME, \'after\')"\n',
    });
    await app.config({ A: 'from the config' });
    // Not executable: git on other systems forgets it.
    chmodSync(join(app.repository.folder, 'bin', 'pre_compile'), 0o644);
    const requirements = `--no-index\n--find-links wheels\nhello==1.0 --hash=sha256:${hash}\n`;
    const pushed = await app.push({ 'requirements.txt': requirements, 'uv.lock': '' });
    expect(pushed.output).toMatch(/ ! {5}uv\.lock isn't looked at, since there is requirements\.txt/);
    expect(pushed.output).toMatch(
      / ! {5}\.python-version asks for Python 3\.99, which this server doesn't have: .* with Python 3\./,
    );
    expect(pushed.output).toMatch(
      /^ +before: from the config \S+\/\.venv\/bin\/python pip \d\S+ from \S+\/app\/\.venv\//m,
    );
    expect(pushed.output).toMatch(/^ +hello after$/m);
    expect(pushed.status).toBe(0);
    const bad = await app.push({ 'requirements.txt': requirements.replace(/sha256:\w{4}/, 'sha256:0000') });
    expect(bad.output).toMatch(/pip could not install requirements\.txt/);
    const failed = await app.push({ 'requirements.txt': requirements, 'bin/post_compile': 'exit 5\n' });
    expect(failed.output).toMatch(/ ! {5}bin\/post_compile failed \(status 5\)/);
    expect((await app.push({ '.python-version': 'pypy' })).output).toMatch(
      /\.python-version says "pypy", which is no version/,
    );
  });

  it('with uv.lock on a server that has no uv, and no index, says how to get it', async () => {
    const { app } = await createApp({
      'uv.lock': 'version = 1\n',
      'pyproject.toml': '[project]\nname = "shop"\nversion = "1"\n',
    });
    await app.config({
      PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
      PIP_EXTRA_INDEX_URL: '',
      PIP_RETRIES: '0',
      PIP_NO_INDEX: '1',
    });
    const pushed = await app.push();
    expect(pushed.output).toMatch(/-----> (Fetching uv \d|Installing packages \(uv\.lock, uv)/);
    if (/Fetching uv/.test(pushed.output))
      expect(pushed.output).toMatch(
        / ! {5}uv can't be had: install it on the server so that it is on its PATH/,
      );
  });
});

describe.skipIf(missing('django-admin'))('a Django app', () => {
  const SETTINGS = `SECRET_KEY = 'x'
INSTALLED_APPS = ['django.contrib.staticfiles']
STATIC_URL = 'static/'
STATICFILES_DIRS = ['assets']
STATIC_ROOT = 'collected'
`;
  it('has its static files collected, unless that is switched off', async () => {
    const { app } = await createApp({
      'requirements.txt': '',
      'manage.py': `import os, sys
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings')
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
`,
      'settings.py': SETTINGS,
      'assets/page.css': 'p {}\n',
    });
    await app.config({ PYTHON_SYSTEM_PACKAGES: 'yes' });
    const pushed = await app.push();
    expect(pushed.output).toMatch(
      /-----> \$ python manage\.py collectstatic --noinput\n[\s\S]*1 static file copied/,
    );
    expect(pushed.status).toBe(0);
    expect((await app.repository.tailrace('run', '-a', app.name, 'cat collected/page.css')).stdout).toMatch(
      /p \{\}/,
    );

    const rootless = await app.push({ 'settings.py': SETTINGS.replace(/STATIC_ROOT.*/, '') });
    expect(rootless.output).toMatch(/ ! {5}Static files aren't collected: STATIC_ROOT isn't set/);
    expect(rootless.status).toBe(0);
    const broken = await app.push({ 'settings.py': `${SETTINGS}STATICFILES_STORAGE = 'nowhere.Storage'\n` });
    expect(broken.output).toMatch(/collectstatic --noinput failed .*config:set DISABLE_COLLECTSTATIC=1/);
    expect(broken.status).not.toBe(0);
    await app.config({ DISABLE_COLLECTSTATIC: '1' });
    const skipped = await app.push();
    expect(skipped.output).toMatch(/Skipping collectstatic: DISABLE_COLLECTSTATIC is set/);
    expect(skipped.status).toBe(0);
  });
});
