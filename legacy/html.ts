/** Text made safe for HTML, with the entities PHP's htmlspecialchars wrote. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** A page of the shop. `main` and `footer` are HTML, the title is text. */
export function page(title: string, main: string, footer = ''): string {
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(title)} - Old Oak</title></head>
<body>
<table width="760" align="center"><tr><td>
<h1><a href="/">Old Oak</a></h1>
${main}
<hr><small>&copy; 2009 Old Oak Trading Ltd.${footer}</small>
</td></tr></table>
</body>
</html>
`;
}

/** Fixed pages: an error never shows a file name or a stack. */
export const NOT_FOUND_PAGE = page('Not found', '<p>Sorry, we cannot find that page.</p>');
export const BAD_REQUEST_PAGE = page('Bad request', '<p>Sorry, we did not understand that.</p>');
export const FORBIDDEN_PAGE = page(
  'Forbidden',
  '<p>Your form has expired. Please go back and try again.</p>',
);
export const ERROR_PAGE = page('Error', '<p>Something went wrong. Our team has been told.</p>');
export const BUSY_PAGE = page('Busy', '<p>Too many requests at once. Please try again.</p>');
