import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../../../support/program.ts';
import type { Server } from '../../../support/server.ts';
import { PushedApp, startBuildServer } from './pushed-app.ts';

let server: Server;
beforeAll(async () => {
  server = await startBuildServer();
});
afterAll(() => server?.close());

const GO_WEB = `package main

import (
	"net/http"
	"os"

	"example.com/tiny"
)

var version = "none"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(tiny.Word + " " + version)) })
	http.ListenAndServe(":"+os.Getenv("PORT"), nil)
}
`;

import { packGems } from './pack-gems.ts';

const GO_FILES = {
  'go.mod': 'module example.com/me/shop/v2\n\ngo 1.19\n\nrequire example.com/tiny v1.0.0\n',
  'main.go': GO_WEB,
  'vendor/modules.txt': '# example.com/tiny v1.0.0\n## explicit\nexample.com/tiny\n',
  'vendor/example.com/tiny/tiny.go': 'package tiny\n\nconst Word = "vendored"\n',
};

describe.skipIf(missing('go'))('a Go module', () => {
  it('is built from vendor/, and its one program is the web process', async () => {
    const app = await PushedApp.create(server, GO_FILES);
    await app.config({ GO_LINKER_SYMBOL: 'main.version', GO_LINKER_VALUE: 'v7' });
    const pushed = await app.push();
    expect(pushed.output).toMatch(/Go app detected\n-----> Go 1\./);
    expect(pushed.output).toMatch(/Default types for buildpack -> web/);
    expect(pushed.status).toBe(0);
    expect((await app.fetch()).text).toBe('vendored v7');
    expect((await app.repository.tailrace('run', '-a', app.name, 'command -v shop')).stdout).toMatch(
      /\/app\/bin\/shop$/m,
    );

    const unclean = await app.push({ 'vendor/modules.txt': '' });
    expect(unclean.output).toMatch(/inconsistent vendoring/);
    expect(unclean.status).not.toBe(0);
    const broken = await app.push({
      'vendor/modules.txt': GO_FILES['vendor/modules.txt'],
      'main.go': 'package main\nfunc main() { x }\n',
    });
    expect(broken.output).toMatch(/undefined: x[\s\S]* ! {5}go install failed/);
    const later = await app.push({ 'go.mod': GO_FILES['go.mod'].replace('1.19', '9.9') });
    expect(later.output).toMatch(/ ! {5}go\.mod asks for Go 9\.9, and the server has 1\./);
    const library = await app.push({
      'go.mod': 'module shop\n',
      'main.go': 'package shop\n',
      'vendor/modules.txt': '',
    });
    expect(library.output).toMatch(/There is no main package in this module/);
  });

  it('with several programs has no default, and installs those that go.mod says', async () => {
    const main = 'package main\n\nfunc main() { println("ran") }\n';
    const app = await PushedApp.create(server, {
      'go.mod': 'module example.com/shop\n\ngo 1.19\n// +heroku install ./cmd/two\n',
      'cmd/one/main.go': main,
      'cmd/two/main.go': main,
      Procfile: 'job: bin/two\n',
    });
    expect((await app.push()).output).toMatch(/go install -tags heroku \.\/cmd\/two/);
    expect((await app.repository.tailrace('run', '-a', app.name, 'ls bin; two 2>&1')).stdout).toMatch(
      /^two\s+ran/,
    );
  });
});

const RUBY_FILES = {
  Procfile: 'web: bundle exec ruby server.rb\n',
  Gemfile: "source 'https://index.invalid'\ngem 'rake'\ngem 'webrick'\ngem 'tiny', group: :development\n",
  Rakefile: "namespace(:assets) { task(:precompile) { File.write 'assets.txt', ENV['RAILS_ENV'] } }\n",
  'server.rb': `require 'webrick'
server = WEBrick::HTTPServer.new(Port: ENV['PORT'].to_i, BindAddress: '127.0.0.1')
server.mount_proc('/') { |_, answer| answer.body = [File.read('assets.txt'), ENV['RACK_ENV'], Gem.loaded_specs['webrick'].full_gem_path].join(' ') }
trap('TERM') { server.shutdown }
server.start
`,
};

describe.skipIf(missing('bundle'))('a Ruby app', () => {
  it('gets the gems of Gemfile.lock from vendor/cache, and its assets', async () => {
    const app = await PushedApp.create(server, RUBY_FILES);
    expect((await app.push()).output).toMatch(/There is no Gemfile\.lock: run bundle install, and commit/);
    const [rake, webrick] = packGems(app.repository.folder);
    const lock = `GEM
  remote: https://index.invalid/
  specs:
${rake}
    tiny (1.0.0)
${webrick}

PLATFORMS
  ruby

DEPENDENCIES
  rake
  tiny
  webrick

BUNDLED WITH
   2.99.0
`;
    const pushed = await app.push({ 'Gemfile.lock': lock });
    expect(pushed.output).toMatch(/Ruby app detected\n-----> Ruby \d\S+, Bundler \d/);
    expect(pushed.output).toMatch(/Gemfile\.lock was written by Bundler 2\.99\.0; the server's is used/);
    expect(pushed.output).toMatch(/-----> Preparing assets: bundle exec rake assets:precompile/);
    expect(pushed.output).toMatch(/Default types for buildpack -> rake/);
    expect(pushed.status).toBe(0);
    expect((await app.fetch()).text).toMatch(
      /^production production \S+\/dynos\/\S+\/app\/vendor\/bundle\/ruby\/\S+\/webrick-/,
    );

    const stale = await app.push({ Gemfile: `${RUBY_FILES.Gemfile}gem 'other'\n` });
    expect(stale.output).toMatch(/ ! {5}Gemfile\.lock doesn't match the Gemfile: run bundle install/);
    expect(stale.status).not.toBe(0);
  });
});

describe('a folder of files', () => {
  it('is served as it is, and by static.json', async () => {
    const app = await PushedApp.create(server, { 'index.html': '<h1>one</h1>', '.secret': 'x' });
    const pushed = await app.push();
    expect(pushed.output).toMatch(/Static app detected[\s\S]*Default types for buildpack -> web/);
    expect(await app.fetch()).toMatchObject({ status: 200, text: '<h1>one</h1>' });
    expect((await app.fetch('/.secret')).status).toBe(404);
    expect((await app.push({ 'static.json': '{"root":"dist"}' })).output).toMatch(
      /There is no folder dist, where static\.json says/,
    );
    expect((await app.push({ 'static.json': '{"root":"../.."}' })).output).toMatch(
      /root in static\.json must be a path within/,
    );
    expect((await app.push({ 'static.json': '{"proxies":{"/a":{}}}' })).output).toMatch(
      /proxies in static\.json aren't served here/,
    );
  });

  it('that a build makes is served as well', async () => {
    const app = await PushedApp.create(server, {
      'package.json': '{"scripts":{"build":"mkdir dist && echo built > dist/index.html"}}',
      'static.json': '{"root":"dist","routes":{"/**":"index.html"},"https_only":true}',
    });
    const pushed = await app.push();
    expect(pushed.output).toMatch(/Node\.js app detected[\s\S]*Static app detected/);
    expect(pushed.status).toBe(0);
    const redirected = await app.fetch('/a?b');
    expect([redirected.status, redirected.headers.location]).toEqual([
      301,
      `https://${app.name}.localhost/a?b`,
    ]);
  });
});

describe('an app that isn’t built here', () => {
  it.each([
    [
      { 'pom.xml': '<x/>', Procfile: 'web: java -jar target/x.jar\n' },
      /This is Java \(pom\.xml\), which isn't built here: name a buildpack/,
    ],
    [{ 'index.php': '<?php', 'index.html': 'x' }, /This is PHP \(index\.php\)/],
    [{ 'notes.txt': 'x' }, /No language is recognized, and there is no Procfile: add a Procfile/],
  ])('%j is refused with what to do', async (files, message) => {
    const app = await PushedApp.create(server, files);
    const pushed = await app.push();
    expect(pushed.output).toMatch(message);
    expect(pushed.status).not.toBe(0);
  });

  it('is taken as it is when it says so', async () => {
    const app = await PushedApp.create(server, { 'Cargo.toml': '', Procfile: 'web: sleep 1000\n' });
    expect((await app.push()).status).not.toBe(0);
    await app.repository.tailrace('buildpacks:set', 'procfile', '-a', app.name);
    const pushed = await app.push();
    expect(pushed.output).toMatch(/Procfile app detected/);
    expect(pushed.status).toBe(0);
  });
});
