/** Lines that alerts are measured with: router lines, logfmt, JSON and stack traces, most of which nothing is wrong with. */

/** Numbers that look random, the same in every run. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A line of RFC 5424, without its length. */
export function makeAlertLine(random: (below: number) => number): string {
  const [dyno, message] = makeMessage(random);
  return `<190>1 2026-01-31T12:00:00.000000+00:00 host app ${dyno} - - ${message}`;
}

function makeMessage(random: (below: number) => number): readonly [string, string] {
  const hex = (length: number): string => Array.from({ length }, () => random(16).toString(16)).join('');
  switch (random(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return [
        'router',
        `at=info method=GET path="/api/v1/orders/${random(1e5)}?page=${random(9)}" host=shop.example.com request_id=${hex(32)} fwd="10.1.${random(255)}.${random(255)}" dyno=web.${random(4)} connect=${random(4)}ms service=${random(900)}ms status=${statusOf(random(100))} bytes=${random(9_999)} protocol=https`,
      ];
    case 5:
    case 6:
    case 7:
      return [
        'web.1',
        `level=info msg="order placed" user.id=${random(1e5)} order=${hex(8)} duration=${random(500)}ms db=${random(40)}ms cache=hit`,
      ];
    case 8:
      return [
        'worker.1',
        `{"level":"info","logger":"sidekiq","job":"SendMailJob","jid":"${hex(24)}","duration":${random(900) / 1_000},"queue":"default"}`,
      ];
    default:
      return [
        'web.2',
        `    at Object.<anonymous> (/app/src/orders/${hex(4)}.js:${random(400)}:${random(80)})`,
      ];
  }
}

/** Most requests go well. */
function statusOf(percent: number): number {
  if (percent < 90) return 200;
  if (percent < 95) return 304;
  return percent < 99 ? 404 : 500;
}
