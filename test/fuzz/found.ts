/** Inputs that broke a promise once, by reader; a character a byte. */
export const FOUND: Readonly<Record<string, readonly string[]>> = {
  networks: ['::,__proto__', 'constructor'],
  'papertrail-line': [
    '1\t2026-11-28 12:30:15\t2026-11-28 12:30:16\t7\tweb\t192.0.2.1\t__proto__\tInfo\tapp\thello',
  ],
  'search-expression': ['errorath:\'/a" k"', "'\"a b'", "'a\" OR x'y", 'm:(:(()*))'],
  'structured-data': ['[e i="" D=""][1 y="\\\xa5"]', '[tailrace@32473 n=""][@]'],
  'syslog-line': ['<3>1 - - t.7a6dc2be-4b36-4d45-bb3f-d62ef3a9ae1b - - [a@1 b="\\\xa5"] x'],
  'syslog-line-of-a-known-sender': [
    '<3>1      [tailrace@32473',
    '<3>1      [1 b="" e=""][x y=""] \xef\xbb\xbf\xef\xbb\xbf',
  ],
};
