/** What the commands print. Data goes to stdout, everything else to stderr. */

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** `text` may have several lines; nothing in it drives the terminal. */
export function say(text: string): void {
  process.stderr.write(`${plainLines(text)}\n`);
}

/** What others wrote as one line that cannot drive the terminal, nor turn the direction of what stands beside it. */
export function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, '\u{fffd}');
}

/** The same of a text of several lines. */
export function plainLines(text: string): string {
  return text.split('\n').map(plain).join('\n');
}

/** Rows of cells as aligned columns, two spaces apart; the last column is not padded. Cells are made `plain`. */
export function table(given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map(plain));
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `24.8 %`: up to two decimals, none where they are zero. */
export function percent(value: number): string {
  return `${Number(value.toFixed(2))} %`;
}

/** `1,204` */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `12 ms`, `0.4 ms`, `1.2 s` */
export function duration(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms >= 10 ? Math.round(ms) : Number(ms.toFixed(1))} ms`;
}

/** `4s`, `18m`, `3h`, `2d` between two instants. */
export function age(from: string, now: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(now) - Date.parse(from)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** A bar of 20 cells. Colour is never needed to read it. */
export function bar(share: number): string {
  const full = Math.round(share / 5);
  return '▇'.repeat(full) + '▁'.repeat(20 - full);
}
