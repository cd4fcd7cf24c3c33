/** Stack traces as programs print them: each is one event. */
export const PYTHON_TRACE = [
  'Traceback (most recent call last):',
  '  File "/app/a.py", line 2, in get',
  '    return cache[key]',
  "KeyError: 'k'",
  '',
  'During handling of the above exception, another exception occurred:',
  '',
  'Traceback (most recent call last):',
  '  File "/app/a.py", line 4, in needle',
  'LookupError: k',
];
export const JAVA_TRACE = [
  'java.lang.IllegalStateException: order 7 failed',
  '\tat com.shop.Order.pay(Order.java:31)',
  'Caused by: java.io.IOException: gone',
  '\t... 12 more',
];
