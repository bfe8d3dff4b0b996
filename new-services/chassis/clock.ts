/** The fictional time all processes of the example agree on, and London civil time as legacy writes it. */
export interface Clock {
  /** Milliseconds since the Unix epoch, with a fraction down to a microsecond. */
  nowMs(): number;
}

/**
 * A clock that starts at `oakNowMs` when the wall clock shows `oakEpochMs` and runs at the wall's speed.
 * `wallMs` gives milliseconds since the Unix epoch, fractions allowed.
 */
function createClock(wallMs: () => number, oakNowMs: number, oakEpochMs: number): Clock {
  return { nowMs: () => oakNowMs + (wallMs() - oakEpochMs) };
}

/** Microsecond wall clock of this process, in milliseconds since the Unix epoch. */
function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

const DEFAULT_NOW = '2026-07-14T10:00:00Z';

/**
 * Reads `OAK_NOW` (an instant, ISO 8601) and `OAK_EPOCH` (milliseconds) from an environment. Without OAK_EPOCH
 * the fictional time starts now. Throws RangeError with a sentence for a person when either cannot be read.
 */
export function clockFromEnvironment(environment: NodeJS.ProcessEnv, wall: () => number = wallMs): Clock {
  const { OAK_NOW: nowText = DEFAULT_NOW, OAK_EPOCH: epochText } = environment;
  const oakNowMs = Date.parse(nowText);
  if (Number.isNaN(oakNowMs))
    throw new RangeError(`OAK_NOW must be an instant like ${DEFAULT_NOW}, is "${nowText}"`);
  const oakEpochMs = epochText === undefined ? wall() : Number(epochText);
  if (!Number.isFinite(oakEpochMs) || epochText === '') {
    throw new RangeError(`OAK_EPOCH must be milliseconds since 1970, is "${epochText}"`);
  }
  return createClock(wall, oakNowMs, oakEpochMs);
}

const LONDON = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/London',
  hourCycle: 'h23',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** `YYYY-MM-DD HH:mm:ss` in London, the form reviews are stored in. */
function londonText(ms: number): string {
  const part = new Map(LONDON.formatToParts(ms).map(({ type, value }) => [type, value]));
  const date = `${part.get('year')}-${part.get('month')}-${part.get('day')}`;
  return `${date} ${part.get('hour')}:${part.get('minute')}:${part.get('second')}`;
}

/** `DD/MM/YYYY HH:mm:ss.ffffff` in London, from milliseconds with a fraction. */
export function londonMicros(ms: number): string {
  return withMicros(londonText(ms), ms);
}

/** The same instant in UTC, in the same form. */
export function utcMicros(ms: number): string {
  return withMicros(new Date(ms).toISOString().slice(0, 19).replace('T', ' '), ms);
}

function withMicros(text: string, ms: number): string {
  const micros = Math.floor((ms - Math.floor(ms / 1000) * 1000) * 1000);
  return `${dayFirst(text)}${text.slice(16)}.${String(micros).padStart(6, '0')}`;
}

/** Stored local text `YYYY-MM-DD HH:mm:ss` as the shop shows it: `DD/MM/YYYY HH:mm`. */
export function dayFirst(text: string): string {
  return `${text.slice(8, 10)}/${text.slice(5, 7)}/${text.slice(0, 4)} ${text.slice(11, 16)}`;
}
