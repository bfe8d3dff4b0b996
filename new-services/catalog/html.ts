/** Text made safe for HTML, with legacy's entities. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** A page that looks exactly like legacy's; `main` is HTML, the title is text. */
export function page(title: string, main: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(title)} - Old Oak</title></head>
<body>
<table width="760" align="center"><tr><td>
<h1><a href="/">Old Oak</a></h1>
${main}
<hr><small>&copy; 2009 Old Oak Trading Ltd.</small>
</td></tr></table>
</body>
</html>
`;
}

export const NOT_FOUND_PAGE = page('Not found', '<p>Sorry, we cannot find that page.</p>');
