/**
 * The process types in what `bin/release` prints. Of the YAML only what the contract promises: `default_process_types:` and
 * indented lines `type: command`.
 */
export function parseDefaultProcessTypes(yaml: string): Record<string, string> {
  const lines = yaml.split(/\r?\n/);
  const start = lines.findIndex((line) => /^default_process_types:\s*$/.test(line));
  if (start === -1) return {};
  const types = new Map<string, string>();
  for (const line of lines.slice(start + 1)) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const [, type, rest] = /^\s+["']?([\w-]+)["']?:(.*)$/s.exec(line) ?? [];
    const command = rest?.trim();
    if (type === undefined || !command) break;
    types.set(type, command.replace(/^(["'])(.*)\1$/, '$2'));
  }
  return Object.fromEntries(types);
}
