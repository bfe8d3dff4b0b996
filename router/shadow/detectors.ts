/** Finds what must not be shown even where values may be: personal data and credentials inside a text. */

interface Detector {
  readonly name: string;
  readonly regex: RegExp;
  /** Further proof; absent: the expression is enough. */
  readonly holds?: (text: string) => boolean;
}

/** In this order: what is masked by one is not seen by the next. */
const DETECTORS: readonly Detector[] = [
  { name: 'bearer', regex: /\b(?:bearer|basic|token)[\s:=]+[\w.~+/=-]{6,}/gi },
  { name: 'jwt', regex: /\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*){0,3}/g },
  {
    name: 'email',
    regex: /[\p{L}\p{N}._%+'-]{1,64}(?:@|%40)[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){0,8}/giu,
  },
  { name: 'iban', regex: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b/gi, holds: isIban },
  { name: 'card', regex: /\b\d(?:[ -]?\d){11,18}\b/g, holds: isCard },
  {
    name: 'phone',
    regex: /(?<![\w.])(?:(?:\+|00|0)\d(?:[ ()/.-]{0,2}\d){6,13}|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4})(?!\w)/g,
  },
];

/** `text` with everything found replaced by its kind in angle brackets. At most `CHARS_MAX` are looked at and kept. */
export function masked(text: string): string {
  let shown = text.slice(0, CHARS_MAX);
  for (const { name, regex, holds } of DETECTORS) {
    shown = shown.replace(regex, (found) => (holds === undefined || holds(found) ? `<${name}>` : found));
  }
  return shown;
}

const CHARS_MAX = 2_000;

/** Luhn's check digit, ISO/IEC 7812-1. */
function isCard(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '');
  let sum = 0;
  for (let i = 0; i < digits.length; i += 1) {
    const digit = Number(digits[digits.length - 1 - i]);
    const weighed = i % 2 === 1 ? digit * 2 : digit;
    sum += weighed > 9 ? weighed - 9 : weighed;
  }
  return sum % 10 === 0;
}

/** Remainder 1 modulo 97, ISO 13616. */
function isIban(text: string): boolean {
  const plain = text.replaceAll(' ', '').toUpperCase();
  if (plain.length < 15 || plain.length > 34) return false;
  let rest = 0;
  for (const character of plain.slice(4) + plain.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}
