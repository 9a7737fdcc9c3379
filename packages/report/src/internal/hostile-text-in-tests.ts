import fc from 'fast-check';

const NASTY = ['<', '>', '"', "'", '&', '&lt;', '`', '|', '\\', '\n', '\r', '\t', '\0', '\u001b[31m', '\u202e', '\ud800', '\udc00', '\ufffe', ']]>', '-->', '</script>', '<img src=x onerror=alert(1)>', '" onload="alert(1)', '${1}', '{{1}}', "'] + alert(1) + ['", 'datum.x', '__proto__', '_', '*', '专', '👩‍🔬', 'é'];

/** Only for tests: labels that somebody made up to break out. */
export const hostileText = fc
  .array(fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 8 })
  .map((parts) => parts.join(''));

/** Only for tests: what a reader should see of a label. */
export const printable = (label: string): string =>
  [...label.replaceAll('\r', '\n')]
    .map((character) => (/[\t\n]/.test(character) ? ' ' : /\p{Cc}|\p{Cs}|[\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]/u.test(character) ? '\ufffd' : character))
    .join('')
    .replace(/\s+/g, ' ')
    .trim();
