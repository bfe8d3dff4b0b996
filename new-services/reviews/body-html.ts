/** Escaped text with line breaks and clickable addresses, as legacy renders a review. */
export function bodyHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
    .replaceAll(/https?:\/\/[^\s<]+/g, (url) => `<a href="${url}" rel="nofollow">${url}</a>`)
    .replaceAll('\n', '<br>');
}
