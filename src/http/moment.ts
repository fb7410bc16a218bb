// Times as people write them: `2h` ago, 02:47, 2026-11-28T02:47Z.

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const MOMENT = 'a duration such as 2h, a time such as 02:47, or a date and time such as 2026-11-28T02:47Z';

/**
 * Wall-clock milliseconds. A duration counts back from now; a time of day is its last occurrence, in UTC or, with `local`, in
 * this process's time zone. undefined: not a time.
 */
export function parseMoment(text: string, nowMs: number, local = false): number | undefined {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined) return nowMs - Number(amount) * UNIT_MS[unit];
  const [, hours, minutes, seconds = '0'] = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text) ?? [];
  if (hours !== undefined) return lastTimeOfDay(Number(hours), Number(minutes), Number(seconds), nowMs, local);
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function lastTimeOfDay(hours: number, minutes: number, seconds: number, nowMs: number, local: boolean) {
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  const date = new Date(nowMs);
  if (local) date.setHours(hours, minutes, seconds, 0);
  else date.setUTCHours(hours, minutes, seconds, 0);
  return date.getTime() <= nowMs ? date.getTime() : date.getTime() - UNIT_MS.d;
}
