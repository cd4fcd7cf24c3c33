import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const PACK_GEMS = `
require 'rubygems/package'
%w[rake webrick].each do |name|
  root = Dir["/usr/share/rubygems-integration/all/gems/#{name}-*"].first
  spec = Gem::Specification.load("/usr/share/rubygems-integration/all/specifications/#{File.basename(root)}.gemspec")
  target = File.expand_path("vendor/cache/#{File.basename(root)}.gem")
  Dir.chdir(root) do
    spec.files = Dir['exe/*', 'lib/**/*'].select { |file| File.file?(file) }
    spec.extra_rdoc_files = []
    $stderr.reopen(File::NULL)
    Gem::Package.build(spec, true, false, target)
  end
  puts "    #{name} (#{spec.version})"
end
`;

/**
 * Packs Debian's own gems as an app's `vendor/cache`, so that Bundler needs no index.
 * @returns a line of Gemfile.lock's specs for each, `rake` and `webrick`
 */
export function packGems(folder: string): string[] {
  mkdirSync(join(folder, 'vendor', 'cache'), { recursive: true });
  return execFileSync('ruby', ['-e', PACK_GEMS], { cwd: folder, encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith('    '));
}
