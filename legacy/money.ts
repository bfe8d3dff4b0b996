/** Pence as the shop's first API writes money: "19.90". */
export function moneyText(pence: number): string {
  return `${Math.trunc(pence / 100)}.${String(pence % 100).padStart(2, '0')}`;
}
